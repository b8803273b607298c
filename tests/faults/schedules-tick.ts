import type { FaultRig } from './fault-rig.ts';
import { claim } from './fault.ts';
import { waitUntil } from './wait-until.ts';

/** The maintenance worker rewrites its schedules every 30 s, which revives a broken chain. */
const REVIVED_WITHIN_MS = 45_000;

/** Ticks are brought forward this often, in milliseconds. */
const TICK_EVERY_MS = 5_000;

/** BullMQ's own keys: schedules tick by the hour, and only here a tick can be moved forward. */
function keysOf(rig: FaultRig): { schedules: string; delayed: string; marker: string } {
  const queue = `{${rig.namespace}:jobs}:maintenance`;
  return {
    schedules: `${queue}:repeat`,
    delayed: `${queue}:delayed`,
    marker: `${queue}:marker`,
  };
}

/** Makes every planned tick due in one step: a schedule may tick by itself between two steps. */
const TICK_ALL = `
  for _, job in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], 0, job) end
  redis.call('ZADD', KEYS[2], 0, '0')`;

/** BullMQ's message when Redis refuses the next tick of a schedule. */
const CHAIN_ENDED = /Failed to add repeatable job for next iteration: OOM/;

/**
 * Makes every schedule tick now and, in the same transaction, takes Redis's memory away. A tick that cannot write its
 * successor ends a schedule's chain. Waits until that has happened to at least one.
 */
export async function tickWithoutMemory(rig: FaultRig, maxmemory: number): Promise<void> {
  await tickNow(rig, maxmemory);
  await waitUntil('the chain of a schedule has ended', async () => {
    const refused = (rig.maintenance?.log() ?? []).some((line) => CHAIN_ENDED.test(String(line['error'])));
    return refused && !(await allHaveNextTick(rig, await rig.redis.zrange(keysOf(rig).schedules, '0', '-1')));
  });
}

/** Proves that each schedule has a next tick again, and that the job then runs. */
export async function proveSchedulesTick(rig: FaultRig): Promise<void> {
  const keys = keysOf(rig);
  const names = await rig.redis.zrange(keys.schedules, '0', '-1');
  claim(names.length > 0, 'there are no schedules');
  await waitUntil('every schedule has a next tick', () => allHaveNextTick(rig, names), REVIVED_WITHIN_MS);
  const doneBefore = jobsDone(rig).length;
  let tickedAt = Number.NEGATIVE_INFINITY;
  await waitUntil('every schedule ticked', async () => {
    // Repeated: when the worker rewrites its schedules at the same moment, it moves ticks back to their own time.
    if (performance.now() - tickedAt > TICK_EVERY_MS) {
      await tickNow(rig);
      tickedAt = performance.now();
    }
    const done = new Set(jobsDone(rig).slice(doneBefore));
    return names.every((name) => done.has(name));
  });
}

/** Waits for the schedules that a maintenance worker writes when it starts, and returns their next jobs. */
export async function schedulesWritten(rig: FaultRig): Promise<readonly string[]> {
  let jobs: string[] = [];
  await waitUntil('schedules are written', async () => {
    jobs = await rig.redis.zrange(keysOf(rig).delayed, '0', '-1');
    return jobs.length > 0;
  });
  return jobs;
}

async function allHaveNextTick(rig: FaultRig, names: readonly string[]): Promise<boolean> {
  const jobs = await rig.redis.zrange(keysOf(rig).delayed, '0', '-1');
  return names.every((name) => jobs.some((job) => job.startsWith(`repeat:${name}:`)));
}

async function tickNow(rig: FaultRig, maxmemory?: number): Promise<void> {
  const { delayed, marker } = keysOf(rig);
  await schedulesWritten(rig);
  const all = rig.redis.multi().eval(TICK_ALL, 2, delayed, marker);
  if (maxmemory !== undefined) all.config('SET', 'maxmemory', String(maxmemory));
  await all.exec();
}

function jobsDone(rig: FaultRig): string[] {
  const lines = rig.maintenance?.log() ?? [];
  return lines.filter((line) => line['msg'] === 'job done').map((line) => String(line['job']));
}
