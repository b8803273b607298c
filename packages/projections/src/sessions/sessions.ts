import { sql } from 'kysely';
import type { FoldedProjection } from '@sluice/store/projection';
import { foldSessions } from './fold.ts';
import { replaceSessions } from './replace.ts';
import { noteDeletions } from './unfold.ts';

/**
 * The sessions of tenants: first and last event, number of events, who and where. The job `close-sessions` ends those that
 * are idle. Deleting events leaves a session as it is: it says what happened, not what is still stored.
 */
export const sessions: FoldedProjection = {
  name: 'sessions',
  kind: 'folded',
  sinceSegments: true,
  tables: ['sessions', 'rebuilt_sessions', 'deletion_horizons'],
  fold: foldSessions,
  unfold: noteDeletions,
  rebuild: {
    async begin(db) {
      await sql`TRUNCATE rebuilt_sessions`.execute(db);
    },
    replace: replaceSessions,
    // They have no generations: what was replaced is gone.
    drop: async () => false,
  },
};
