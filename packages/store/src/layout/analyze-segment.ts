import { sql } from 'kysely';
import type { Database } from '../database.ts';
import { unlessLocked } from './unless-locked.ts';

/**
 * Numbers of events at which the hot segment is analysed. One that never was has no statistics: a page of a frequent type
 * took 900 to 3,000 ms in 1.75 million events.
 */
const ANALYZE_AT = [10_000, 50_000, 200_000];

/** Whether a segment has passed one of those numbers since it was analysed last. */
export function isAnalyzeDue({ events, analysedAt }: { events: number; analysedAt: number }): boolean {
  return ANALYZE_AT.some((count) => events >= count && analysedAt < count);
}

/** Analyses a segment, unless autovacuum is at it. */
export async function analyzeSegment(database: Database, relation: string): Promise<void> {
  await unlessLocked(database, (db) => sql`ANALYZE ${sql.table(relation)}`.execute(db));
}
