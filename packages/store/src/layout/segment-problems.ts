import { type Kysely, sql } from 'kysely';
import { readHotSegment } from './hot-segment.ts';

/** Closed segments that may wait for sealing; more are an alarm. A backlog of 10,000,000 events makes twenty. */
const MOST_CLOSED = 20;

/** A hot segment of this many times its size is an alarm: nobody rotates, or a transaction that stays open forbids it. */
const MOST_SIZES = 4;

/** A rotation leaves no next segment until it has made one, which a lock may delay: not missing within this, in seconds. */
const MAKING_SECONDS = 30;

/** How the segments look that are not sealed yet. */
export interface UnsealedSegments {
  /** Which of `hot` and `next` are missing. Writers stall without a hot one. */
  readonly missing: readonly ('hot' | 'next')[];
  /** Closed segments that wait for sealing. */
  readonly closed: number;
  /** How long the oldest of them has waited, in seconds; 0 without one. */
  readonly oldestClosedSeconds: number;
  /** Estimated number of events in the hot segment. */
  readonly hotEvents: number;
  /** Seconds that sealing took the last time; null before the first time. */
  readonly lastSealSeconds: number | null;
}

/** Reads how the unsealed segments look. */
export async function readUnsealed(db: Kysely<unknown>): Promise<UnsealedSegments> {
  const { rows } = await sql<{
    hot: boolean;
    next: boolean;
    making: boolean;
    closed: number;
    oldest: number;
    seal: number | null;
  }>`
    SELECT coalesce(bool_or(state = 'hot' AND attached), false) AS hot, coalesce(bool_or(state = 'next' AND attached), false) AS next,
           coalesce((SELECT max(closed_at) > clock_timestamp() - make_interval(secs => ${MAKING_SECONDS}) FROM segments), false) AS making,
           (count(*) FILTER (WHERE state = 'closed'))::integer AS closed,
           coalesce(extract(epoch FROM clock_timestamp() - min(closed_at) FILTER (WHERE state = 'closed')), 0)::float8 AS oldest,
           (SELECT extract(epoch FROM sealed_at - sealing_at)::float8 FROM segments
            WHERE sealing_at <= sealed_at ORDER BY sealed_at DESC LIMIT 1) AS seal
    FROM (SELECT s.*, i.inhrelid IS NOT NULL AS attached FROM segments AS s
          LEFT JOIN pg_inherits AS i ON i.inhrelid = to_regclass(s.relation) WHERE s.state <> 'sealed') AS s`.execute(
    db,
  );
  const { hot, next, making, closed, oldest, seal } = rows[0]!;
  return {
    missing: [...(hot ? [] : (['hot'] as const)), ...(next || making ? [] : (['next'] as const))],
    closed,
    oldestClosedSeconds: oldest,
    hotEvents: (await readHotSegment(db))?.events ?? 0,
    lastSealSeconds: seal,
  };
}

/**
 * Says what is wrong with the segments; nothing when all is well.
 *
 * @param segmentEvents SEGMENT_EVENTS
 */
export function problemsOf(
  { missing, closed, hotEvents }: Pick<UnsealedSegments, 'missing' | 'closed' | 'hotEvents'>,
  segmentEvents: number,
): string[] {
  const problems = missing.map((state) => `there is no ${state} segment; writers stall without a hot one`);
  if (closed > MOST_CLOSED) problems.push(`${closed} closed segments wait for seal-segments`);
  if (hotEvents > MOST_SIZES * segmentEvents)
    problems.push(
      `the hot segment has about ${Math.round(hotEvents)} events, ${MOST_SIZES} times SEGMENT_EVENTS and more: nobody rotates, or a transaction that stores events stays open`,
    );
  return problems;
}
