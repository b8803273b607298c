import type { MaintenanceConfig } from '../config.ts';
import { checkFenceJob } from './check-fence.ts';
import { checkPartitionsJob } from './check-partitions.ts';
import { closeSessionsJob } from './close-sessions.ts';
import { expireDeadLettersJob } from './expire-dead-letters.ts';
import { expireExportRunsJob } from './expire-export-runs.ts';
import { expireHistoryJob } from './expire-history.ts';
import { expirePartitionsJob } from './expire-partitions.ts';
import { expireSessionsJob } from './expire-sessions.ts';
import { expireTenantEventsJob } from './expire-tenant-events.ts';
import { foldRollupsJob } from './fold-rollups.ts';
import type { Job } from './job.ts';
import { makePartitionsJob } from './make-partitions.ts';
import { queueExportsJob } from './queue-exports.ts';
import { rebaseExportsJob } from './rebase-exports.ts';
import { rebuildRollupsJob } from './rebuild-rollups.ts';
import { removeIdleConsumersJob } from './remove-idle-consumers.ts';
import { rotateExportKeysJob } from './rotate-export-keys.ts';
import { verifyExportJob } from './verify-export.ts';

/** Every job that maintenance workers run. */
export function allJobs(config: Pick<MaintenanceConfig, 'CLEANUP_INTERVAL_HOURS'>): readonly Job[] {
  return [
    makePartitionsJob,
    closeSessionsJob,
    expireSessionsJob,
    expireDeadLettersJob,
    expireHistoryJob,
    expireExportRunsJob,
    removeIdleConsumersJob,
    queueExportsJob,
    rotateExportKeysJob,
    checkPartitionsJob,
    expirePartitionsJob(config),
    expireTenantEventsJob(config),
    foldRollupsJob,
    rebuildRollupsJob,
    checkFenceJob,
    verifyExportJob,
    rebaseExportsJob,
  ];
}
