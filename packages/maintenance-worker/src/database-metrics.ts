import { type Kysely, sql } from 'kysely';
import { Gauge } from 'prom-client';
import { withTimeout } from '@sluice/daemon/retry/with-timeout';
import type { Metrics } from '@sluice/daemon/telemetry/metrics';
import type { Database } from '@sluice/store/database';
import { DEAD_LETTER_REASONS } from '@sluice/store/dead-letter-reasons';
import { fenceAge } from '@sluice/store/fence/fence-age';
import { missingPartitions } from '@sluice/store/layout/missing-partitions';
import { inTransaction } from '@sluice/store/transaction';

/** How long a look at Postgres is good for, in milliseconds: whoever scrapes as fast as they can costs no more. */
const FRESH_MS = 2_000;

/** How long a scrape waits for Postgres, in milliseconds. */
const PATIENCE_MS = 1_000;

/** How long one statement may take, in milliseconds: when one waits for a lock, the others are still there in time. */
const STATEMENT_MS = 500;

/** Most dead letters that are counted: beyond, it is as bad whatever the number. */
const MOST_LETTERS = 10_000;

/** What Postgres says; null where it did not. */
interface Seen {
  /** Scheduled jobs, and whether each is stale. */
  readonly jobs: ReadonlyMap<string, boolean> | null;
  readonly fenceSeconds: number | null;
  readonly missing: number | null;
  /** Dead letters by reason. */
  readonly letters: ReadonlyMap<string, number> | null;
}

const NOTHING: Seen = { jobs: null, fenceSeconds: null, missing: null, letters: null };

/**
 * Adds what Postgres knows, asked when it is scraped. All maintenance workers say the same, also one whose own schedules
 * are dead or switched off. While Postgres does not answer, these metrics are absent: an old value would be a lie.
 */
export function addDatabaseMetrics(registry: Metrics, database: Database): void {
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
      help: 'How far the export fence is behind now: exports and roll-ups lack everything newer.',
      registers: [],
      async collect() {
        setOrRemove(this, (await look()).fenceSeconds);
      },
    }),
  );
  add(
    new Gauge({
      name: 'sluice_partitions_missing',
      help: 'Partitions of this week and the next that are not there; writers stall without them.',
      registers: [],
      async collect() {
        setOrRemove(this, (await look()).missing);
      },
    }),
  );
  add(
    new Gauge({
      name: 'sluice_dead_letters_open',
      help: 'Dead letters that wait for somebody, of the newest 10,000.',
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

/** One look at a time, which whoever asks meanwhile shares; nobody waits for it longer than PATIENCE_MS. */
function lookAt(database: Database): () => Promise<Seen> {
  let looking: Promise<Seen> | null = null;
  let seen: Seen = NOTHING;
  let freshUntil = -Infinity;
  return async () => {
    if (performance.now() < freshUntil) return seen;
    looking ??= lookOnce(database).then((found) => {
      looking = null;
      seen = found;
      // What is missing is asked for again at the next scrape.
      if (!Object.values(found).includes(null)) freshUntil = performance.now() + FRESH_MS;
      return found;
    });
    // The look itself never fails; it may be late.
    return withTimeout(looking, PATIENCE_MS).catch(() => NOTHING);
  };
}

/** Each part for itself: one that takes too long says nothing of the others. */
async function lookOnce(database: Database): Promise<Seen> {
  const startedAt = performance.now();
  const part = async <T>(read: (db: Kysely<unknown>) => Promise<T>): Promise<T | null> => {
    // Where Postgres is away each part would wait for a connection anew.
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
    missing: await part(async (db) => (await missingPartitions(db, new Date())).length),
    letters: await part(openLetters),
  };
}

/** Of jobs that no worker has ever been told to schedule nothing is expected, so they are not stale. */
async function staleJobs(db: Kysely<unknown>): Promise<ReadonlyMap<string, boolean>> {
  const { rows } = await sql<{ name: string; stale: boolean }>`
    SELECT name, coalesce(stale_at < clock_timestamp(), false) AS stale
    FROM jobs WHERE schedule IS NOT NULL ORDER BY name`.execute(db);
  return new Map(rows.map(({ name, stale }) => [name, stale]));
}

/** By the partial index of the dead ones, the newest first. */
async function openLetters(db: Kysely<unknown>): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ reason: string; count: string }>`
    SELECT reason, count(*) FROM (
      SELECT reason FROM dead_letters WHERE state = 'dead' ORDER BY id DESC LIMIT ${MOST_LETTERS}
    ) AS newest GROUP BY reason`.execute(db);
  const counts = new Map<string, number>(Object.keys(DEAD_LETTER_REASONS).map((reason) => [reason, 0]));
  for (const { reason, count } of rows) counts.set(reason, Number(count));
  return counts;
}
