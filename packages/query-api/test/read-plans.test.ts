import { type RawBuilder, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sessionWithTail } from '@sluice/projections/sessions/session-with-tail';
import { openDatabase, type Database } from '@sluice/store/database';
import { readableSegments, type ReadableSegment } from '@sluice/store/layout/readable-segments';
import { migrate } from '@sluice/store/migrations/migrate';
import { MIGRATIONS } from '@sluice/store/migrations/migrations';
import { prepareDatabase } from '@sluice/store/prepare-database';
import { readByIndex } from '@sluice/store/read-by-index';
import { rotateHotSegment, sealHotSegment } from '@sluice/testkit/seal-hot-segment';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { makeWeeklyPartition } from '@sluice/testkit/weekly-partition';
import type { EventFilter } from '../src/events/event-filter.ts';
import { firstMatches } from '../src/events/read-events.ts';

/** Rows of each segment: enough that the planner would take a scan from end to end where it can. */
const ROWS = 20_000;

let database: TestDatabase;
let opened: Database;
beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
  opened = openDatabase({ url: database.url, poolSize: 2, statementTimeoutMs: 60_000, applicationName: 'test' });
  await migrate(
    opened,
    MIGRATIONS.filter(({ name }) => name < '0008'),
  );
  const lastWeek = new Date(Date.now() - 7 * 86_400_000);
  await makeWeeklyPartition(database, lastWeek);
  await insert(`'${lastWeek.toISOString()}'::timestamptz`);
  await prepareDatabase(opened);
  await insert('now()');
  await sealHotSegment(opened);
  await insert('now()');
  await rotateHotSegment(opened);
  await insert('now()');
  // Statistics are made and removed here, and not by the server.
  for (const { relation } of await database.query("SELECT relation FROM segments WHERE relation ~ '^events_'"))
    await database.query(`ALTER TABLE ${relation} SET (autovacuum_enabled = false)`);
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});

/** Rows of two tenants: many of a type, some hundred of a user, few of a session. */
async function insert(storedAt: string): Promise<void> {
  await database.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, stored_at, received_at, actor, session_id, resource,
                         correlation_id, source, payload)
     SELECT CASE WHEN i % 5 = 0 THEN 'acme' ELSE 'default' END, gen_random_uuid(), 'type-' || i % 3,
            ${storedAt} - i * interval '1 ms', ${storedAt}, now(), 'actor-' || i * 7919 % 100, 'session-' || i * 7919 % 4000,
            'resource-' || i * 7919 % 1000, 'run-' || i * 7919 % 1000, 'governance-tracker',
            jsonb_build_object('x', repeat(md5(i::text), 8))
     FROM generate_series(1, ${ROWS}) AS i`,
  );
}

const FIELDS = {
  eventTypes: ['event_type', 'type-1'],
  actors: ['actor', 'actor-7'],
  sessionIds: ['session_id', 'session-77'],
  resources: ['resource', 'resource-77'],
  correlationIds: ['correlation_id', 'run-77'],
} as const;

/** Filters by name, with the columns of which one must lead the index. */
const FILTERS: readonly (readonly [string, EventFilter, readonly string[]])[] = [
  ['none', { tenant: 'default' }, []],
  ['a time', { tenant: 'default', start: new Date(Date.now() - 3_600_000).toISOString() }, []],
  ...Object.entries(FIELDS).flatMap(([field, [column, value]]) => [
    [field, { tenant: 'default', [field]: [value] }, [column]] as const,
    [`${field}, unknown`, { tenant: 'default', [field]: ['nobody'] }, [column]] as const,
    [`${field}, three`, { tenant: 'default', [field]: [value, 'nobody', 'somebody'] }, [column]] as const,
    [
      `${field}, twenty`,
      { tenant: 'default', [field]: Array.from({ length: 20 }, (_, i) => `${value}${i}`) },
      [column],
    ] as const,
  ]),
  ['a user and a type', { tenant: 'default', actors: ['actor-7'], eventTypes: ['type-1'] }, ['actor', 'event_type']],
];

/** The kinds of segments, and the indexes that a read with these columns may use. */
const KINDS = [
  {
    kind: 'hot or closed',
    isOne: ({ to }: ReadableSegment) => to === null,
    mayUse: () => /^events_s\d+_(time|blocks)$/,
  },
  {
    kind: 'sealed',
    isOne: ({ hashed }: ReadableSegment) => hashed,
    mayUse: (columns: readonly string[]) => new RegExp(`^events_s\\d+_(${['time', ...columns].join('|')})$`),
  },
  {
    kind: 'weekly',
    isOne: ({ weekly }: ReadableSegment) => weekly,
    mayUse: (columns: readonly string[]) =>
      new RegExp(
        `^events_[\\d_]+_tenant_(${['', ...columns.map((column) => `${column}_`)].join('|')})occurred_at_idx$`,
      ),
  },
] as const;

/** Without statistics all indexes that begin with the tenant look alike. A hot segment has none but those of above. */
const ANY_INDEX = /^events_/;

interface Node {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly Node[];
}

async function explain(query: RawBuilder<unknown>): Promise<Node[]> {
  const { rows } = await readByIndex(opened, (db) =>
    sql<{ 'QUERY PLAN': [{ Plan: Node }] }>`EXPLAIN (FORMAT JSON) ${query}`.execute(db),
  );
  return flat(rows[0]!['QUERY PLAN'][0].Plan);
}

function flat(node: Node): Node[] {
  return [node, ...(node.Plans ?? []).flatMap(flat)];
}

const STATISTICS = {
  fresh: async () => {
    for (const { relation } of await database.query('SELECT relation FROM segments'))
      await database.query(`ANALYZE ${relation}`);
  },
  // As after an upgrade of the server, or in the first seconds of a segment.
  missing: async () => {
    await database.query(
      "DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE relname ~ '^events')",
    );
    await database.query("UPDATE pg_class SET reltuples = -1 WHERE relname ~ '^events_' AND relkind = 'r'");
  },
};

describe.each(Object.keys(STATISTICS) as (keyof typeof STATISTICS)[])('with statistics %s', (statistics) => {
  beforeAll(() => STATISTICS[statistics]());

  it('what is not folded of one session is read by an index, in every segment', async () => {
    const found = await readByIndex(opened, (db) => sessionWithTail(db, 'default', 'session-77'));
    const nodes = (await explain(found)).filter((node) =>
      (node['Relation Name'] ?? node['Index Name'] ?? '').startsWith('events_'),
    );
    expect(nodes.map((node) => node['Node Type'])).not.toContain('Seq Scan');
    const indexes = nodes.flatMap((node) => node['Index Name'] ?? []);
    // The writers of 0.1.0 have counted what is in weekly partitions.
    expect(indexes.map((index) => index.split('_')[1] ?? '').toSorted()).toEqual(['s1', 's2', 's3', 's4']);
    // By tenant and time it would read the whole tenant. The next segment is empty.
    for (const index of indexes.filter((name) => !name.startsWith('events_s4_')))
      expect(index).toMatch(/^events_s(?:1_(?:session_id|blocks)|\d+_blocks)$/);
  });

  describe.each(KINDS)('a segment that is $kind', ({ kind, isOne, mayUse }) => {
    it.each(FILTERS)('is read by an index: %s', async (_, filter, columns) => {
      const segments = (await readableSegments(opened.db)).filter((segment) => isOne(segment));
      const expected = statistics === 'missing' && kind !== 'hot or closed' ? ANY_INDEX : mayUse(columns);
      for (const order of ['asc', 'desc'] as const) {
        const list = { filter, order, after: undefined, until: undefined, limit: 101 };
        const nodes = await explain(firstMatches(segments, list));
        expect(nodes.map((node) => node['Node Type'])).not.toContain('Seq Scan');
        const indexes = nodes.flatMap((node) => node['Index Name'] ?? []);
        expect(indexes.length).toBeGreaterThan(0);
        for (const index of indexes) expect(index, order).toMatch(expected);
      }
    });
  });
});
