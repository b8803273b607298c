import type { Logger } from '@sluice/daemon/log/logger';
import type { BatchOutcome } from '@sluice/events/adapters/door';

/** Writes one line for an accepted batch, at debug. At other levels it costs one comparison. */
export function logBatch(outcome: BatchOutcome, logger: Logger): void {
  if (!logger.isLevelEnabled('debug')) return;
  const { requestId, batchId, tenant, batch, accepted, rejected, request } = outcome;
  logger.debug(
    {
      request_id: requestId,
      batch_id: batchId,
      tenant,
      source: batch.adapter.source,
      accepted,
      rejected: rejected.length,
      bytes: request.body.length,
    },
    'batch accepted',
  );
}
