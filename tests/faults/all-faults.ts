import type { Fault } from './fault.ts';
import { chaos } from './faults/chaos.ts';
import { commitReplyCut } from './faults/commit-reply-cut.ts';
import { consumerDeleted } from './faults/consumer-deleted.ts';
import { deadlockStorm } from './faults/deadlock-storm.ts';
import { postgresDiskFull, redisDiskFull } from './faults/disk-full.ts';
import { ingestHalfOpen, maintenanceHalfOpen, postgresHalfOpen, writerHalfOpen } from './faults/half-open.ts';
import { ingestKill } from './faults/ingest-kill.ts';
import { ingestStop } from './faults/ingest-stop.ts';
import { noHotSegment } from './faults/no-hot-segment.ts';
import { poisonAll, poisonOneIn500 } from './faults/poison.ts';
import { postgresCrash } from './faults/postgres-crash.ts';
import { postgresHang } from './faults/postgres-hang.ts';
import { postgresOutage } from './faults/postgres-outage.ts';
import { postgresReadOnly } from './faults/postgres-read-only.ts';
import { postgresTerminate } from './faults/postgres-terminate.ts';
import { redisFlushall } from './faults/redis-flushall.ts';
import { redisHang } from './faults/redis-hang.ts';
import { redisKill } from './faults/redis-kill.ts';
import { redisMaxmemory } from './faults/redis-maxmemory.ts';
import { redisReadOnly } from './faults/redis-read-only.ts';
import {
  redisWithoutScripts,
  redisWithoutXadd,
  redisWithoutXreadgroup,
  redisWrongType,
} from './faults/redis-refuses.ts';
import { redisReplyCut } from './faults/redis-reply-cut.ts';
import { redisSlow } from './faults/redis-slow.ts';
import { replayKilled } from './faults/replay-killed.ts';
import {
  filtersLost,
  maintenanceAway,
  rotationBlocked,
  sealingKilled,
  segmentsRotate,
  writerSleepsThroughRotations,
} from './faults/segments.ts';
import { settleReplyCut } from './faults/settle-reply-cut.ts';
import { tableLocked } from './faults/table-locked.ts';
import { writerFrozen } from './faults/writer-frozen.ts';
import { writerGone } from './faults/writer-gone.ts';
import { writerKillAfterCommit } from './faults/writer-kill-after-commit.ts';
import { writerKill } from './faults/writer-kill.ts';
import { writerStop } from './faults/writer-stop.ts';

/** Every fault, in the order of the report. */
export const FAULTS: readonly Fault[] = [
  writerKill,
  writerKillAfterCommit,
  writerGone,
  consumerDeleted,
  writerFrozen,
  writerStop,
  ingestKill,
  ingestStop,
  ingestHalfOpen,
  writerHalfOpen,
  maintenanceHalfOpen,
  redisKill,
  redisHang,
  redisReadOnly,
  redisWithoutXadd,
  redisWithoutXreadgroup,
  redisWithoutScripts,
  redisWrongType,
  redisSlow,
  redisReplyCut,
  settleReplyCut,
  redisMaxmemory,
  redisFlushall,
  redisDiskFull,
  postgresCrash,
  postgresOutage,
  postgresHang,
  postgresTerminate,
  postgresHalfOpen,
  commitReplyCut,
  postgresReadOnly,
  postgresDiskFull,
  tableLocked,
  noHotSegment,
  segmentsRotate,
  rotationBlocked,
  sealingKilled,
  filtersLost,
  writerSleepsThroughRotations,
  maintenanceAway,
  deadlockStorm,
  poisonOneIn500,
  poisonAll,
  replayKilled,
  chaos,
];
