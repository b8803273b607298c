import { type Kysely, type SqlBool, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { replaceSegments } from '@sluice/store/layout/replace-segments';
import { listSegments } from '@sluice/store/layout/segments';
import type { JudgedSegment } from './judge-segments.ts';

/** Most segments that one rewritten one takes the place of. */
const MOST_SEGMENTS = 10;

/** Longest time that it spans, in milliseconds: it goes when its last event is past. */
const LONGEST_SPAN_MS = 7 * 24 * 60 * 60_000;

/**
 * Groups the expired segments that hold events of tenants with a longer retention beside others: neighbours become one.
 * Those that hold nothing else are left as they are.
 */
export async function groupsToRewrite(
  db: Kysely<unknown>,
  judged: readonly JudgedSegment[],
): Promise<(readonly JudgedSegment[])[]> {
  const byRelation = new Map(
    judged
      .filter(({ keepers, others }) => keepers.length > 0 && others > 0)
      .map((each) => [each.segment.relation, each]),
  );
  const groups: JudgedSegment[][] = [];
  let group: JudgedSegment[] = [];
  for (const { relation, from } of await listSegments(db)) {
    const found = byRelation.get(relation);
    // Weekly partitions are bounded by time and stay by themselves.
    if (
      found === undefined ||
      from === 0 ||
      group.length === MOST_SEGMENTS ||
      spanOf([...group, found]) > LONGEST_SPAN_MS
    )
      group = [];
    if (found === undefined) continue;
    if (group.push(found) === 1) groups.push(group);
    if (from === 0) group = [];
  }
  return groups;
}

/**
 * Puts a segment in the place of expired ones that has only the events of tenants that need them longer. The old ones are
 * then detached and registered for deletion.
 *
 * @returns name of the new segment; null when transactions have the old ones open
 */
export function rewriteKept(
  database: Database,
  group: readonly JudgedSegment[],
  signal: AbortSignal,
): Promise<string | null> {
  const sources = group.map(({ segment, keepers, heldBackBy }) => {
    const tenants = [...new Set([...keepers, ...heldBackBy])];
    return { segment, keepers: tenants, keep: sql<SqlBool>`tenant = ANY(${tenants}::text[])` };
  });
  return replaceSegments(database, sources, signal);
}

function spanOf(group: readonly JudgedSegment[]): number {
  const times = group.flatMap(({ segment: { storedFrom, storedTo } }) =>
    storedFrom === null || storedTo === null ? [] : [Date.parse(storedFrom), Date.parse(storedTo)],
  );
  return Math.max(...times) - Math.min(...times);
}
