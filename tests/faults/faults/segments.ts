import { openDatabase } from '@sluice/store/database';
import { HASHED_COLUMNS } from '@sluice/store/layout/hashed-columns';
import { makeSegments } from '@sluice/store/layout/make-segment';
import { rotateSegment } from '@sluice/store/layout/rotate-segment';
import { listSegments } from '@sluice/store/layout/segments';
import type { FaultRig } from '../fault-rig.ts';
import { claim, type Fault } from '../fault.ts';
import { whileFrozen } from '../processes.ts';
import { waitUntil } from '../wait-until.ts';

/** So small that a few seconds of load fill several. */
const SEGMENT_EVENTS = 400;
const SMALL = { SEGMENT_EVENTS: String(SEGMENT_EVENTS) };
/** Old events are sent again all the time: no rotation may forget an id. */
const RESENDS = { resendOld: 0.4, maxPauseMs: 10 };
const ROTATIONS = 6;
/** Indexes of a sealed segment: three from the start, and one on the hash of each of five columns. */
const SEALED_INDEXES = 3 + HASHED_COLUMNS.length;

/** Longest wait of a writer for a rotation that waits itself, in seconds: 150 ms on a machine that is otherwise idle. */
const LONGEST_WAIT_S = 2;

export const segmentsRotate: Fault = {
  name: 'segments-rotate',
  does: 'segments are so small that they rotate and are sealed all the time, beside two writers and resends of old events',
  recoversWithinMs: 15_000,
  setup: { maintenance: true, env: SMALL },
  load: RESENDS,
  async run({ rig, report }) {
    await rig.startWriter('writer-2');
    await waitUntil('segments are sealed', async () => (await count(rig, 'sealed')) >= ROTATIONS);
    report(`${await count(rig, 'sealed')} segments are sealed, ${await count(rig, 'closed')} closed`);
  },
};

export const rotationBlocked: Fault = {
  name: 'rotation-blocked',
  does: 'a transaction that has stored an event stays open: no segment can rotate, and writers continue',
  recoversWithinMs: 15_000,
  setup: { maintenance: true, env: SMALL },
  load: RESENDS,
  async run({ rig, load }) {
    let hot = '';
    const hasRotated = async (): Promise<boolean> => (await hotOf(rig)) !== hot;
    const stored = async (): Promise<number> => {
      const [row] = await rig.sql<{ rows: number }>(`SELECT count(*)::int AS rows FROM ${hot}`);
      return row!.rows;
    };
    const holder = await rig.connect();
    try {
      await holder.query('BEGIN');
      await holder.query(`INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
                          VALUES ('default', gen_random_uuid(), 'Held', now(), now(), 'governance-tracker', '{}')`);
      hot = await hotOf(rig);
      await waitUntil('the hot segment is past its size', async () => (await stored()) > 3 * SEGMENT_EVENTS);
      await waitUntil(
        'a rotation waits',
        async () => (await longestWait(rig, 'sluice-maintenance')) > 0 || (await hasRotated()),
      );
      const before = await stored();
      let longest = 0;
      await waitUntil('writers continue', async () => {
        longest = Math.max(longest, await longestWait(rig, 'sluice-writer'));
        return (await stored()) > before + SEGMENT_EVENTS || (await hasRotated());
      });
      await load.more('acked', 20);
      claim(!(await hasRotated()), 'a segment rotated under an open transaction');
      claim(longest < LONGEST_WAIT_S, `a writer waited ${longest} s for a rotation`);
    } finally {
      await holder.end();
    }
    await waitUntil('it rotates', hasRotated);
  },
};

export const sealingKilled: Fault = {
  name: 'sealing-killed',
  does: 'the maintenance worker is killed again and again while segments rotate and are sealed',
  recoversWithinMs: 20_000,
  setup: {
    maintenance: true,
    env: SMALL,
    // Sealing takes a second instead of a moment, so that kills hit it; and nobody else does what it left undone.
    postgresSettings: { vacuum_cost_delay: '20ms', vacuum_cost_limit: '20', autovacuum: 'off' },
  },
  load: RESENDS,
  async run({ rig, random, report }) {
    for (let kills = 0; kills < 4; kills += 1) {
      const before = await count(rig, 'sealed');
      await waitUntil(
        'another segment is closed or sealed',
        async () => (await count(rig, 'sealed')) > before || (await count(rig, 'closed')) > 0,
      );
      await waitUntil('a statement of the maintenance worker runs', async () => {
        const rows = await rig.sql(
          "SELECT FROM pg_stat_activity WHERE application_name LIKE 'sluice-maintenance%' AND state = 'active'",
        );
        return rows.length > 0 || random.int(20) === 0;
      });
      await rig.maintenance?.kill();
      await rig.maintenance?.start();
    }
    report(`${await count(rig, 'sealed')} segments are sealed`);
  },
  async prove({ rig }) {
    await waitUntil('every closed segment is sealed', async () => (await count(rig, 'closed')) === 0);
    const [invalid] = await rig.sql<{ indexes: number }>(
      'SELECT count(*)::int AS indexes FROM pg_index WHERE NOT indisvalid',
    );
    claim(invalid!.indexes === 0, `${invalid!.indexes} indexes are invalid`);
    const unfinished = await rig.sql<{ relation: string }>(
      `SELECT relation FROM segments AS s JOIN pg_class AS c ON c.oid = s.relation::regclass
       WHERE s.state = 'sealed'
         AND (c.relallvisible < c.relpages OR (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) < ${SEALED_INDEXES})`,
    );
    claim(unfinished.length === 0, `${unfinished[0]?.relation} is noted as sealed and is not`);
  },
};

export const filtersLost: Fault = {
  name: 'filters-lost',
  does: 'a writer that knows many ids is killed; it starts again while clients resend events of every age',
  recoversWithinMs: 15_000,
  setup: { maintenance: true, env: SMALL },
  load: { ...RESENDS, resendOld: 0.7 },
  async run({ rig, load }) {
    await waitUntil('there are older segments', async () => (await count(rig, 'sealed')) >= ROTATIONS / 2);
    for (let kills = 0; kills < 3; kills += 1) {
      await rig.writer.kill();
      await rig.writer.start();
      await load.more('acked', 20);
    }
  },
};

export const writerSleepsThroughRotations: Fault = {
  name: 'writer-asleep',
  does: 'a writer is frozen (SIGSTOP) while another one stores and two segments rotate; then it resumes with what it knew',
  recoversWithinMs: 20_000,
  setup: { env: { RECLAIM_IDLE_MS: '2000', STATEMENT_TIMEOUT_MS: '1000' } },
  load: RESENDS,
  async run({ rig, load }) {
    await rig.startWriter('writer-2');
    await load.more('acked', 20);
    await whileFrozen(rig.writer.pid, async () => {
      for (let rotations = 0; rotations < 2; rotations += 1) {
        await rotate(rig);
        await load.more('acked', 20);
      }
    });
    await load.more('acked', 40);
  },
};

export const maintenanceAway: Fault = {
  name: 'maintenance-away',
  does: 'the maintenance worker is away while the hot segment grows to many times its size; then it comes back',
  recoversWithinMs: 20_000,
  setup: { maintenance: true, env: SMALL },
  load: RESENDS,
  async run({ rig, load }) {
    await rig.maintenance?.kill();
    const hot = await hotOf(rig);
    await waitUntil('the hot segment is many times its size', async () => {
      const [row] = await rig.sql<{ rows: number }>(`SELECT count(*)::int AS rows FROM ${hot}`);
      return row!.rows > 6 * SEGMENT_EVENTS;
    });
    await load.more('acked', 20);
    claim((await hotOf(rig)) === hot, 'a segment rotated without the maintenance worker');
    await rig.maintenance?.start();
    await waitUntil('it rotates again', async () => (await hotOf(rig)) !== hot);
  },
  async prove({ rig }) {
    await waitUntil('every closed segment is sealed', async () => (await count(rig, 'closed')) === 0);
  },
};

/** How long a statement of a daemon has waited for the lock between storing and rotating, in seconds. */
async function longestWait(rig: FaultRig, daemon: string): Promise<number> {
  const [row] = await rig.sql<{ seconds: number }>(
    `SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0)::float8 AS seconds FROM pg_stat_activity
     WHERE application_name = $1 AND wait_event_type = 'Lock' AND wait_event = 'advisory'`,
    [daemon],
  );
  return row!.seconds;
}

async function count(rig: FaultRig, state: string): Promise<number> {
  const [row] = await rig.sql<{ count: number }>('SELECT count(*)::int FROM segments WHERE state = $1', [state]);
  return row!.count;
}

async function hotOf(rig: FaultRig): Promise<string> {
  const [row] = await rig.sql<{ relation: string }>("SELECT relation FROM segments WHERE state = 'hot'");
  return row!.relation;
}

/** Rotates as the maintenance worker does. */
async function rotate(rig: FaultRig): Promise<void> {
  const database = openDatabase({
    url: rig.postgresServer.url,
    poolSize: 2,
    statementTimeoutMs: 30_000,
    applicationName: 'fault',
  });
  try {
    await makeSegments(database);
    const hot = (await listSegments(database.db)).find(({ state }) => state === 'hot')!;
    await waitUntil('the hot segment rotates', () => rotateSegment(database, hot.relation));
    await makeSegments(database);
  } finally {
    await database.close();
  }
}
