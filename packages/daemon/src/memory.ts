import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** How a daemon has V8 use memory. */
export type MemoryProfile = keyof typeof PROFILES;

let current: MemoryProfile | 'default' = 'default';

/**
 * Sets V8's flags for this process. They are V8's own and were proven on Node 24.21: memory.test.ts fails when one of
 * them no longer does what it is for. V8 reads them at each collection, so no way to start a daemon has to know of them.
 */
export function useMemoryProfile(profile: MemoryProfile): void {
  PROFILES[profile]();
  current = profile;
}

/** @returns the profile that this process uses; `default` for V8's own ways */
export function memoryProfile(): MemoryProfile | 'default' {
  return current;
}

const PROFILES = {
  /**
   * For ingest, which is flooded with bodies. Has V8 count buffers as part of the heap when it decides when to collect
   * garbage. Left to itself it marks the whole heap each time some tens of megabytes of buffers were made, which a flood
   * of large bodies does ten times a second: with this a request of 500 events takes a third less of ingest's processor
   * (935 µs instead of 1,490). The price is memory: at most 301 MB instead of 238 in a burst of such requests. Twenty
   * bodies of 15 MB at a time take 0.75 GB either way.
   */
  'weighed-buffers'() {
    setFlagsFromString('--external-memory-accounted-in-global-limit');
  },

  /**
   * For the writer, which drains backlogs. Keeps V8 from letting garbage pile up meanwhile, as it does on a machine with
   * memory to spare: 400 MiB without this, 215 with it, for no fewer events a second.
   *
   * The space for new objects may grow to 32 MiB instead of 128. V8 makes it small again when little happens; with growing
   * forbidden it would stay so for good, which costs a quarter of the writer's processor. So growing is forbidden only
   * while the space is as large as it may be.
   */
  'bounded-new-space'() {
    // The space for older objects is collected when it has grown by this much.
    setFlagsFromString('--heap-growing-percent=60');
    let mayGrow = true;
    new PerformanceObserver(() => {
      const space = getHeapSpaceStatistics().find((each) => each.space_name === 'new_space');
      const isSmall = (space?.space_size ?? 0) < MOST_NEW_BYTES;
      if (isSmall === mayGrow) return;
      mayGrow = isSmall;
      setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
    }).observe({ entryTypes: ['gc'] });
  },

  /**
   * For the maintenance worker, whose exports make much garbage and keep little. Collects sooner: a million events as
   * Parquet to two buckets took 508 MiB without this and take 282 to 296 MiB with it, of which the idle worker has 195.
   */
  'early-collection'() {
    // The space for new objects stays as small as it starts.
    setFlagsFromString('--semi-space-growth-factor=1');
    // The space for older ones is collected when it has grown by this much.
    setFlagsFromString('--heap-growing-percent=10');
  },
};

/** Of both halves of the space for new objects, in bytes. */
const MOST_NEW_BYTES = 32 * 1024 * 1024;
