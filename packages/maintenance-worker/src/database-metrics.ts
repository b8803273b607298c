import { type Kysely, sql } from 'kysely';
import { Gauge } from 'prom-client';
import { withTimeout } from '@sluice/daemon/retry/with-timeout';
import type { Metrics } from '@sluice/daemon/telemetry/metrics';
import { foldAgeSeconds } from '@sluice/projections/fold/fold-age';
import type { Database } from '@sluice/store/database';
import { DEAD_LETTER_REASONS } from '@sluice/store/dead-letter-reasons';
import { fenceAge } from '@sluice/store/fence/fence-age';
import { readUnsealed, type UnsealedSegments } from '@sluice/store/layout/segment-problems';
import { countSegments, type SegmentState } from '@sluice/store/layout/segments';
import { inTransaction } from '@sluice/store/transaction';

/** How long the answers of Postgres are reused, in milliseconds: a scraper that asks faster costs no more. */
const FRESH_MS = 2_000;

/** How long a scrape waits for Postgres, in milliseconds. */
const PATIENCE_MS = 1_000;

/** How long one statement may take, in milliseconds: when one waits for a lock, the others still answer in time. */
const STATEMENT_MS = 500;

/** Most dead letters that are counted: beyond that, the exact number changes nothing for the operator. */
const MOST_LETTERS = 10_000;

/** What Postgres answered; null where it did not. */
interface Seen {
  /** Scheduled jobs, and whether each is stale. */
  readonly jobs: ReadonlyMap<string, boolean> | null;
  readonly fenceSeconds: number | null;
  /** Its `age` is null before the first fold. */
  readonly fold: { readonly age: number | null } | null;
  readonly unsealed: UnsealedSegments | null;
  readonly segments: ReadonlyMap<SegmentState, number> | null;
  /** Dead letters by reason. */
  readonly letters: ReadonlyMap<string, number> | null;
}

const NOTHING: Seen = {
  jobs: null,
  fenceSeconds: null,
  fold: null,
  unsealed: null,
  segments: null,
  letters: null,
};

/**
 * Adds the metrics that are read from Postgres at each scrape. All maintenance workers report the same values, also one
 * whose schedules are switched off. While Postgres does not answer, these metrics are absent: an old value would be a
 * lie.
 *
 * @param segmentEvents SEGMENT_EVENTS
 */
export function addDatabaseMetrics(registry: Metrics, database: Database, segmentEvents: number): void {
  const look = lookAt(database);
  const add = (gauge: Gauge): void => registry.registerMetric(gauge);
  add(
    new Gauge({
      name: 'sluice_job_stale',
      help: '1 when a scheduled job has not succeeded for three of its ticks.',
      labelNames: ['job'],
      registers: [],
      async collect() {
        const { jobs } = await look();
        this.reset();
        for (const [job, stale] of jobs ?? []) this.set({ job }, stale ? 1 : 0);
      },
    }),
  );
  add(
    new Gauge({
      name: 'sluice_fence_age_seconds',
      help: 'Age of the export fence: exports and roll-ups lack everything newer.',
      registers: [],
      async collect() {
        setOrRemove(this, (await look()).fenceSeconds);
      },
    }),
  );
  add(
    new Gauge({
      name: 'sluice_fold_lag_seconds',
      help: 'How far roll-ups and lists of sessions are behind what is committed; absent before the first fold.',
      registers: [],
      async collect() {
        setOrRemove(this, (await look()).fold?.age ?? null);
      },
    }),
  );
  add(
    new Gauge({
      name: 'sluice_segments',
      help: 'Segments of events, by state.',
      labelNames: ['state'],
      registers: [],
      async collect() {
        const { segments } = await look();
        this.reset();
        for (const [state, count] of segments ?? []) this.set({ state }, count);
      },
    }),
  );
  const addUnsealed = (name: string, help: string, value: (seen: UnsealedSegments) => number | null): void =>
    add(
      new Gauge({
        name,
        help,
        registers: [],
        async collect() {
          const { unsealed } = await look();
          setOrRemove(this, unsealed === null ? null : value(unsealed));
        },
      }),
    );
  addUnsealed(
    'sluice_segments_missing',
    'Missing segments, of the hot one and the next; writers stall without a hot one.',
    ({ missing }) => missing.length,
  );
  addUnsealed(
    'sluice_hot_segment_events',
    'Estimated number of events in the hot segment.',
    ({ hotEvents }) => hotEvents,
  );
  addUnsealed(
    'sluice_hot_segment_fill_ratio',
    'The same, of SEGMENT_EVENTS.',
    ({ hotEvents }) => hotEvents / segmentEvents,
  );
  addUnsealed(
    'sluice_closed_segment_age_seconds',
    'How long the oldest closed segment has waited to be sealed; 0 without one.',
    ({ oldestClosedSeconds }) => oldestClosedSeconds,
  );
  addUnsealed(
    'sluice_segment_seal_seconds',
    'How long sealing took the last time; absent before the first time.',
    ({ lastSealSeconds }) => lastSealSeconds,
  );
  add(
    new Gauge({
      name: 'sluice_dead_letters_open',
      help: 'Dead letters that wait for an operator, of the newest 10,000.',
      labelNames: ['reason'],
      registers: [],
      async collect() {
        const { letters } = await look();
        this.reset();
        for (const [reason, count] of letters ?? []) this.set({ reason }, count);
      },
    }),
  );
}

function setOrRemove(gauge: Gauge, value: number | null): void {
  if (value === null) gauge.remove({});
  else gauge.set(value);
}

/** Reads Postgres once at a time: scrapes at the same time share it, and none waits longer than PATIENCE_MS. */
function lookAt(database: Database): () => Promise<Seen> {
  let looking: Promise<Seen> | null = null;
  let seen: Seen = NOTHING;
  let freshUntil = -Infinity;
  return async () => {
    if (performance.now() < freshUntil) return seen;
    looking ??= lookOnce(database).then((found) => {
      looking = null;
      seen = found;
      // A missing part is read again at the next scrape.
      if (!Object.values(found).includes(null)) freshUntil = performance.now() + FRESH_MS;
      return found;
    });
    // Reading never fails; it may be late.
    return withTimeout(looking, PATIENCE_MS).catch(() => NOTHING);
  };
}

/** Reads each part separately, so that one that takes too long does not cost the others. */
async function lookOnce(database: Database): Promise<Seen> {
  const startedAt = performance.now();
  const part = async <T>(read: (db: Kysely<unknown>) => Promise<T>): Promise<T | null> => {
    // While Postgres is unavailable each part would wait for a connection again.
    if (performance.now() - startedAt > PATIENCE_MS) return null;
    try {
      return await inTransaction(database, async (db) => {
        await sql.raw(`SET LOCAL statement_timeout = ${STATEMENT_MS}`).execute(db);
        return read(db);
      });
    } catch {
      return null;
    }
  };
  return {
    jobs: await part(staleJobs),
    fenceSeconds: await part(async (db) => (await fenceAge(db)).seconds),
    fold: await part(async (db) => ({ age: await foldAgeSeconds(db) })),
    unsealed: await part(readUnsealed),
    segments: await part(countSegments),
    letters: await part(openLetters),
  };
}

/** Scheduled jobs by name. A job that no worker schedules is never stale. */
async function staleJobs(db: Kysely<unknown>): Promise<ReadonlyMap<string, boolean>> {
  const { rows } = await sql<{ name: string; stale: boolean }>`
    SELECT name, coalesce(stale_at < clock_timestamp(), false) AS stale
    FROM jobs WHERE schedule IS NOT NULL ORDER BY name`.execute(db);
  return new Map(rows.map(({ name, stale }) => [name, stale]));
}

/** Open dead letters by reason, read newest first through the partial index of `state = 'dead'`. */
async function openLetters(db: Kysely<unknown>): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ reason: string; count: string }>`
    SELECT reason, count(*) FROM (
      SELECT reason FROM dead_letters WHERE state = 'dead' ORDER BY id DESC LIMIT ${MOST_LETTERS}
    ) AS newest GROUP BY reason`.execute(db);
  const counts = new Map<string, number>(Object.keys(DEAD_LETTER_REASONS).map((reason) => [reason, 0]));
  for (const { reason, count } of rows) counts.set(reason, Number(count));
  return counts;
}
