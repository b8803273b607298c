import type { FaultDaemon } from '../fault-daemon.ts';
import type { Fault, FaultContext } from '../fault.ts';
import { waitUntil } from '../wait-until.ts';

/** Takes permissions away from Redis's only user while work runs. */
async function without(commands: readonly string[], { rig }: FaultContext, work: () => Promise<void>): Promise<void> {
  await rig.redis.call('ACL', 'SETUSER', 'default', ...commands.map((command) => `-${command}`));
  try {
    await work();
  } finally {
    await rig.redis.call('ACL', 'SETUSER', 'default', '+@all');
  }
}

/** PING still works: only a check that asks for the work finds out. */
function untilItSaysSo(daemon: FaultDaemon): Promise<void> {
  return waitUntil(`${daemon.name} says that it cannot work`, async () => !(await daemon.isReady()));
}

export const redisWithoutXadd: Fault = {
  name: 'redis-without-xadd',
  does: 'the Redis user loses XADD: ingest refuses and is not ready, the writer drains; then it may again',
  recoversWithinMs: 15_000,
  run: (context) =>
    without(['xadd'], context, () =>
      context.whileQueueIsAway(async () => {
        await context.load.more('refused', 30);
        await untilItSaysSo(context.rig.ingest);
      }),
    ),
};

export const redisWithoutXreadgroup: Fault = {
  name: 'redis-without-xreadgroup',
  does: 'the Redis user loses XREADGROUP: ingest answers 202, the writer is not ready and reads nothing; then it may again',
  recoversWithinMs: 20_000,
  run: (context) =>
    without(['xreadgroup'], context, async () => {
      await untilItSaysSo(context.rig.writer);
      await context.load.more('acked', 30);
    }),
};

export const redisWithoutScripts: Fault = {
  name: 'redis-without-scripts',
  does: 'the Redis user loses EVAL: the writer stores, cannot acknowledge and is not ready; then it may again',
  recoversWithinMs: 20_000,
  run: (context) =>
    without(['eval', 'evalsha'], context, async () => {
      await untilItSaysSo(context.rig.writer);
      await context.load.more('acked', 30);
    }),
};

export const redisWrongType: Fault = {
  name: 'redis-wrong-type',
  does: 'another program writes a string where the stream was: ingest and the writer are not ready; then the stream is back',
  recoversWithinMs: 20_000,
  async run({ rig, load, whileQueueIsAway }) {
    const aside = `${rig.stream}:aside`;
    await rig.redis.multi().rename(rig.stream, aside).set(rig.stream, 'a string').exec();
    await whileQueueIsAway(async () => {
      await load.more('refused', 30);
      await Promise.all([rig.ingest, rig.writer].map(untilItSaysSo));
    });
    await rig.redis.multi().del(rig.stream).rename(aside, rig.stream).exec();
  },
};
