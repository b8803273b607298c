import { availableParallelism, loadavg } from 'node:os';
import { seededRandom } from '@sluice/testkit/random';
import { startRig, type FaultRig } from './fault-rig.ts';
import type { Fault, FaultContext } from './fault.ts';
import { checkMemory, checkStorage, type Findings } from './invariants.ts';
import { DEFAULT_LOAD, type Load, startLoad } from './load.ts';
import { waitUntil } from './wait-until.ts';

/** One run of one fault. */
export interface FaultRun extends Findings {
  readonly fault: string;
  readonly seed: number;
  /** From the end of the fault until all was well again; null when it never was. */
  readonly recoveryMs: number | null;
  readonly recoversWithinMs: number;
  /** Highest memory of a daemon, in MiB. */
  readonly peakMib: number;
  /** Why it was not run; null when it was. */
  readonly skipped: string | null;
}

/** Requests that must be acked, and events stored, before anything breaks. */
const WARM_REQUESTS = 20;
/** Events of the batch that proves that new ones get through. */
const PROBE_EVENTS = 25;
/** A recovery beyond its limit fails; the run watches it this much longer, to see what is lost for good. */
const GRACE_MS = 30_000;

/**
 * Starts the pipeline, sends load, breaks something, repairs it, waits until all is well, and compares what is stored
 * with what was acked.
 *
 * @returns what was found; a violation is in the result and not thrown
 */
export async function runFault(fault: Fault, seed: number, report: (line: string) => void): Promise<FaultRun> {
  const skipped = (await fault.unavailable?.()) ?? null;
  const head = { fault: fault.name, seed, recoversWithinMs: fault.recoversWithinMs };
  if (skipped !== null) return { ...head, ...NOTHING, recoveryMs: null, peakMib: 0, skipped };
  const rig = await startRig(fault.setup ?? {});
  let failed = true;
  try {
    const options = { ...DEFAULT_LOAD, ...fault.load };
    const load = startLoad(() => rig.ingest.url, seed, options);
    const watch = watchClaims(load);
    const context: FaultContext = { random: seededRandom(seed), rig, load, report, ...watch };
    const violations: string[] = [];
    const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        violations.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      }
    };

    await waitUntil('the pipeline works', () => isWarm(rig, load));
    report(`${fault.does} (seed ${seed})`);
    await attempt('the fault', () => fault.run(context));
    const repairedAt = performance.now();
    report('repaired; waiting until all is well');
    let recoveryMs: number | null = null;
    await attempt('I3', async () => {
      const busyBefore = busyness();
      await recover(rig, load, fault.recoversWithinMs * busyBefore + GRACE_MS);
      recoveryMs = Math.round(performance.now() - repairedAt);
      const limitMs = Math.round(fault.recoversWithinMs * Math.max(busyBefore, busyness()));
      if (recoveryMs > limitMs) throw new Error(`all was well after ${recoveryMs} ms; the limit is ${limitMs}`);
    });
    await attempt('the load', () => load.stop());
    if (recoveryMs !== null) await attempt('the proof', async () => fault.prove?.(context));
    violations.push(...watch.violations());
    const peaks = rig.memory.peaks();
    violations.push(...checkMemory(peaks), ...(await stopInOrder(rig)));
    const found = await checkStorage(rig, load.log, watch.wipedAt());
    violations.push(...found.violations);
    failed = violations.length > 0;
    if (failed) report(`logs are kept in ${rig.folder}`);
    return { ...head, ...found, violations, recoveryMs, peakMib: Math.max(0, ...peaks.values()), skipped };
  } finally {
    await rig.remove(failed);
  }
}

/** How much longer than on an idle machine something may take: a process waits for all others on its core. */
function busyness(): number {
  return 1 + loadavg()[0]! / availableParallelism();
}

const NOTHING: Findings = { acked: 0, refused: 0, unknown: 0, stored: 0, dead: 0, lost: 0, wiped: 0, violations: [] };

async function isWarm(rig: FaultRig, load: Load): Promise<boolean> {
  const [row] = await rig.sql<{ stored: boolean }>('SELECT EXISTS (SELECT FROM events) AS stored');
  return row!.stored && load.log.requests('acked') >= WARM_REQUESTS;
}

/** Waits until a new batch is acked and stored, the queue is empty and every daemon is ready, without any help. */
async function recover(rig: FaultRig, load: Load, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  const left = (): number => Math.max(0, deadline - performance.now());
  const ids = await load.sendUntilAcked(PROBE_EVENTS, withinMs);
  await load.stop();
  await waitUntil(
    'a new batch is stored',
    async () => {
      const [row] = await rig.sql<{ count: number }>(
        'SELECT count(*)::int AS count FROM events WHERE event_id = ANY($1)',
        [ids],
      );
      return row!.count === ids.length;
    },
    left(),
  );
  await waitUntil(
    'the queue is empty',
    async () => {
      const { entries, pending } = await rig.backlog();
      if (entries > 0 || pending > 0) throw new Error(`${entries} entries are left, ${pending} of them pending`);
      return true;
    },
    left(),
  );
  for (const daemon of rig.daemons) await waitUntil(`${daemon.name} is ready`, () => daemon.isReady(), left());
}

/** Proves that every daemon can still stop in order. */
async function stopInOrder(rig: FaultRig): Promise<string[]> {
  const codes = await Promise.all([...rig.daemons].map(async (daemon) => [daemon.name, await daemon.stop()] as const));
  return codes.filter(([, code]) => code !== 0).map(([name, code]) => `${name} did not stop in order (exit ${code})`);
}

interface ClaimWatch extends Pick<FaultContext, 'whileQueueIsAway' | 'queueWasWiped'> {
  violations(): string[];
  wipedAt(): number | null;
}

/** Keeps the times between which the queue was not there (I4), and the time at which it was emptied. */
function watchClaims(load: Load): ClaimWatch {
  const away: { from: number; to: number }[] = [];
  let wipedAt: number | null = null;
  return {
    async whileQueueIsAway(work) {
      const from = performance.now();
      try {
        return await work();
      } finally {
        away.push({ from, to: performance.now() });
      }
    },
    queueWasWiped() {
      wipedAt = performance.now();
    },
    wipedAt: () => wipedAt,
    violations: () =>
      away
        .map(({ from, to }) => load.log.ackedWithin(from, to))
        .filter((acked) => acked > 0)
        .map((acked) => `I4: ${acked} requests were acked while the queue was not there`),
  };
}
