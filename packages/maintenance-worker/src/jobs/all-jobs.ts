import type { MaintenanceConfig } from '../config.ts';
import { checkFenceJob } from './check-fence.ts';
import { checkSegmentsJob } from './check-segments.ts';
import { closeSessionsJob } from './close-sessions.ts';
import { expireDeadLettersJob } from './expire-dead-letters.ts';
import { expireExportRunsJob } from './expire-export-runs.ts';
import { expireHistoryJob } from './expire-history.ts';
import { expireSegmentsJob } from './expire-segments.ts';
import { expireSessionsJob } from './expire-sessions.ts';
import { expireTenantEventsJob } from './expire-tenant-events.ts';
import { foldRollupsJob } from './fold-rollups.ts';
import type { Job } from './job.ts';
import { mergeSegmentsJob } from './merge-segments.ts';
import { queueExportsJob } from './queue-exports.ts';
import { rebaseExportsJob } from './rebase-exports.ts';
import { rebuildRollupsJob } from './rebuild-rollups.ts';
import { removeIdleConsumersJob } from './remove-idle-consumers.ts';
import { rotateExportKeysJob } from './rotate-export-keys.ts';
import { rotateSegmentsJob } from './rotate-segments.ts';
import { sealSegmentsJob } from './seal-segments.ts';
import { verifyExportJob } from './verify-export.ts';

/** Every job that maintenance workers run. */
export function allJobs(config: Pick<MaintenanceConfig, 'CLEANUP_INTERVAL_HOURS'>): readonly Job[] {
  return [
    rotateSegmentsJob,
    sealSegmentsJob,
    closeSessionsJob,
    expireSessionsJob,
    expireDeadLettersJob,
    expireHistoryJob,
    expireExportRunsJob,
    removeIdleConsumersJob,
    queueExportsJob,
    rotateExportKeysJob,
    checkSegmentsJob,
    mergeSegmentsJob,
    expireSegmentsJob(config),
    expireTenantEventsJob(config),
    foldRollupsJob,
    rebuildRollupsJob,
    checkFenceJob,
    verifyExportJob,
    rebaseExportsJob,
  ];
}
