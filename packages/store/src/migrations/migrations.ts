import * as initial from './0001-events-ledger-sessions.ts';
import * as deadLetters from './0002-dead-letters.ts';
import * as jobs from './0003-jobs.ts';
import * as rollups from './0004-rollups.ts';
import * as exportRuns from './0005-exports.ts';
import * as apiKeys from './0006-api-keys.ts';
import * as sessionOrder from './0007-session-order.ts';
import * as segmentColumn from './0008-segment-column.ts';
import * as segments from './0009-segments.ts';
import * as foldedSessions from './0010-folded-sessions.ts';
import * as segmentUpkeep from './0011-segment-upkeep.ts';
import * as isolateEvents from './0012-isolate-events.ts';
import type { Migration } from './migration.ts';

/** All migrations, in the order in which they are applied. */
export const MIGRATIONS: readonly Migration[] = [
  initial,
  deadLetters,
  jobs,
  rollups,
  exportRuns,
  apiKeys,
  sessionOrder,
  segmentColumn,
  segments,
  foldedSessions,
  segmentUpkeep,
  isolateEvents,
];
