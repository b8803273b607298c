import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import { payloadForReading } from '@sluice/store/read-payload';
import { comesAfter, type List, NEWEST_FIRST, type Place, type ReadRows } from '../http/paging.ts';
import { ownedBy } from '../sql/owned-by.ts';
import { readChunk } from '../sql/read-chunk.ts';
import { utc } from '../sql/utc.ts';

/** A replay as the API shows it. */
export interface ReplayStatus {
  readonly id: string;
  readonly state: string;
  readonly matched: number;
  readonly replayed: number;
  readonly stored: number;
  readonly duplicates: number;
  readonly failed: number;
  readonly skipped: number;
  readonly pending: number;
  readonly outcome: ReplayOutcome | null;
  readonly rate: number;
  readonly rate_per_second: number;
}

/** How many of a replay's events are stored now. */
export const REPLAY_OUTCOMES = ['all_stored', 'some_failed', 'none_stored'] as const;

export type ReplayOutcome = (typeof REPLAY_OUTCOMES)[number];

/** Final states of a replay. */
export const ENDED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled']);

/** Seconds over which the rate of a running replay is measured. */
const RATE_WINDOW = 5;

type Row = Record<string, unknown> &
  Record<'matched' | 'stored' | 'duplicates' | 'failed' | 'skipped' | 'rate', string> & {
    id: string;
    state: string;
    filter: string;
    rate_per_second: number;
  };

/** Reads one replay. @throws ApiError `not_found`, also for one that the operator may not see */
export async function findReplay(db: Kysely<unknown>, id: string, operator: Principal): Promise<ReplayStatus> {
  const {
    rows: [replay],
  } = await readReplays(db, sql<SqlBool>`id = ${id}::uuid`, operator, 1);
  if (replay === undefined) throw noSuchReplay(id);
  return replay;
}

/** The same for one that does not exist and for one of another tenant. */
export function noSuchReplay(id: string): ApiError {
  return new ApiError('not_found', `There is no replay ${id}.`);
}

/** The list of all replays. */
export const REPLAYS: List = { of: 'replays', ...NEWEST_FIRST };

/** Reads a page of replays, newest first. */
export async function listReplays(
  db: Kysely<unknown>,
  { after, limit }: { after: Place | undefined; limit: number },
  operator: Principal,
): Promise<ReadRows<ReplayStatus>> {
  return readReplays(db, comesAfter(after, REPLAYS), operator, limit);
}

async function readReplays(
  db: Kysely<unknown>,
  condition: RawBuilder<SqlBool>,
  operator: Principal,
  limit: number,
): Promise<ReadRows<ReplayStatus>> {
  const found = sql`
    SELECT id, state, matched, skipped, ${payloadForReading('filter')} AS filter, rate_per_second, requested_by, reason, error,
           ${utc('created_at')}, ${utc('started_at')}, ${utc('finished_at')}, c.stored, c.duplicates, c.failed,
           CASE WHEN finished_at IS NULL THEN c.lately::float / ${RATE_WINDOW}
                ELSE c.settled / greatest(0.001, extract(epoch FROM finished_at - coalesce(started_at, created_at))) END AS rate
    FROM (SELECT * FROM replays WHERE ${condition} AND ${ownedBy(operator)} ORDER BY created_at DESC, id DESC LIMIT ${limit}) r
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE replay_result = 'stored') AS stored,
             count(*) FILTER (WHERE replay_result = 'duplicate') AS duplicates,
             count(*) FILTER (WHERE replay_result = 'failed') AS failed,
             count(replay_result) AS settled,
             count(*) FILTER (WHERE settled_at > now() - make_interval(secs => ${RATE_WINDOW})) AS lately
      FROM dead_letters d WHERE d.replay_id = r.id
    ) c
    ORDER BY r.created_at DESC, r.id DESC`;
  // A filter may name ten thousand dead letters.
  const { rows, cut } = await readChunk<Row>(db, found, {
    order: sql`created_at DESC, id DESC`,
    chars: sql`length(filter)`,
  });
  return { rows: rows.map(statusOf), cut };
}

function statusOf(row: Row): ReplayStatus {
  const stored = Number(row.stored);
  const duplicates = Number(row.duplicates);
  const failed = Number(row.failed);
  const skipped = Number(row.skipped);
  const matched = Number(row.matched);
  const replayed = stored + duplicates;
  return {
    ...row,
    matched,
    replayed,
    stored,
    duplicates,
    failed,
    skipped,
    pending: Math.max(0, matched - replayed - failed - skipped),
    outcome: ENDED.has(row.state) ? outcomeOf(replayed, failed) : null,
    rate: Math.round(Number(row.rate) * 10) / 10,
    filter: JSON.parse(row.filter) as unknown,
  } as ReplayStatus;
}

function outcomeOf(replayed: number, failed: number): ReplayOutcome {
  if (replayed === 0) return 'none_stored';
  return failed === 0 ? 'all_stored' : 'some_failed';
}
