import { DeadLetter } from './dead-letter.ts';
import { DeletionHorizon } from './deletion-horizon.ts';
import { Event } from './event.ts';
import { ExpiringSegment } from './expiring-segment.ts';
import { ExportPosition } from './export-position.ts';
import { ExportRun } from './export-run.ts';
import { FenceCluster } from './fence-cluster.ts';
import { FenceObservation } from './fence-observation.ts';
import { JobRun } from './job-run.ts';
import { Job } from './job.ts';
import { Replay } from './replay.ts';
import { RollupGeneration } from './rollup-generation.ts';
import { RollupDay, RollupHour, RollupWeek } from './rollup.ts';
import { Segment } from './segment.ts';
import { RebuiltSession, Session } from './session.ts';

/** The tables that daemons use by SQL alone, described once more: a second opinion on what the migrations make. */
export const TABLE_ENTITIES = [
  DeadLetter,
  DeletionHorizon,
  Event,
  ExpiringSegment,
  ExportPosition,
  ExportRun,
  FenceCluster,
  FenceObservation,
  Job,
  JobRun,
  RebuiltSession,
  Replay,
  RollupDay,
  RollupGeneration,
  RollupHour,
  RollupWeek,
  Segment,
  Session,
];
