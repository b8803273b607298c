import { claim, type Fault } from '../fault.ts';
import { cannotMount, fillUp, freeUp, smallDisk } from '../full-disk.ts';
import { isAlive, processGone } from '../processes.ts';
import { waitUntil } from '../wait-until.ts';

/** With appendfsync always Redis exits rather than acknowledge a write that is not on disk. Its supervisor restarts it. */
export const redisDiskFull: Fault = {
  name: 'redis-disk-full',
  does: "the disk of Redis's append-only file fills up; then it has space again and Redis restarts",
  recoversWithinMs: 15_000,
  unavailable: cannotMount,
  setup: { redisDisk: () => smallDisk(48) },
  async run({ rig, load, whileQueueIsAway }) {
    const disk = rig.disks.redis;
    claim(disk !== undefined, 'Redis has no disk of its own');
    const pid = rig.redisServer.pid();
    await fillUp(disk);
    await processGone(pid);
    await whileQueueIsAway(() => load.more('refused', 10));
    await freeUp(disk);
    await rig.redisServer.start();
  },
};

/** Postgres refuses statements (53100), or exits when the WAL has no space. Neither may cause a dead letter. */
export const postgresDiskFull: Fault = {
  name: 'postgres-disk-full',
  does: 'the disk of Postgres fills up; then it has space again',
  recoversWithinMs: 30_000,
  unavailable: cannotMount,
  setup: {
    postgresDisk: () => smallDisk(400),
    postgresSettings: { max_wal_size: '48MB', min_wal_size: '32MB' },
  },
  async run({ rig, load }) {
    const disk = rig.disks.postgres;
    claim(disk !== undefined, 'Postgres has no disk of its own');
    const pid = rig.postgresServer.pid();
    await fillUp(disk);
    await waitUntil(
      'the writer meets it',
      () => !isAlive(pid) || rig.writer.log().some((line) => /^(?:53100|57P0|08)/.test(String(line['code']))),
    );
    await load.more('acked', 30);
    await freeUp(disk);
    if (!isAlive(pid)) await rig.postgresServer.start();
  },
};
