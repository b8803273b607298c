import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** How V8 uses memory in a daemon. */
export type MemoryProfile = keyof typeof PROFILES;

let current: MemoryProfile | 'default' = 'default';

/**
 * Sets V8's flags for this process. They are V8's own and were tested on Node 24.21: memory.test.ts fails when one of them
 * loses its effect. V8 reads them at each collection, so they work however the daemon was started.
 */
export function useMemoryProfile(profile: MemoryProfile): void {
  PROFILES[profile]();
  current = profile;
}

/** @returns the profile that this process uses; `default` when none was set */
export function memoryProfile(): MemoryProfile | 'default' {
  return current;
}

const PROFILES = {
  /**
   * For ingest, which receives floods of bodies. V8 then counts buffers as part of the heap when it decides when to
   * collect garbage. By default it marks the whole heap after every few tens of megabytes of buffers. A flood of large
   * bodies causes that ten times a second. With the flag a request of 500 events takes a third less of ingest's
   * processor (935 µs instead of 1,490). The price is memory: at most 301 MB instead of 238 in a burst of such requests.
   * Twenty bodies of 15 MB at a time take 0.75 GB either way.
   */
  'weighed-buffers'() {
    setFlagsFromString('--external-memory-accounted-in-global-limit');
  },

  /**
   * For the writer, which drains backlogs. By default V8 lets garbage pile up on a machine with free memory: 400 MiB
   * without this, 215 with it, at the same events per second.
   *
   * The space for new objects may grow to 32 MiB instead of 128. V8 shrinks it when little happens. With growth forbidden
   * it would then stay small for good, which costs a quarter of the writer's processor. So growth is forbidden only while
   * the space has its largest size.
   */
  'bounded-new-space'() {
    // V8 collects the space for older objects when it has grown by this much.
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
   * For the maintenance worker, whose exports make much garbage and retain little. V8 then collects sooner. A million
   * events as Parquet to two buckets took 508 MiB without this and take 282 to 296 MiB with it. The idle worker has 195.
   */
  'early-collection'() {
    // The space for new objects stays as small as it starts.
    setFlagsFromString('--semi-space-growth-factor=1');
    // V8 collects the space for older ones when it has grown by this much.
    setFlagsFromString('--heap-growing-percent=10');
  },
};

/** Of both halves of the space for new objects, in bytes. */
const MOST_NEW_BYTES = 32 * 1024 * 1024;
