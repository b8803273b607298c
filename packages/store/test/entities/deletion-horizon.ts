import { defineEntity, p } from '@mikro-orm/core';

/** Up to when events of a tenant were deleted; a rebuild of sessions needs to know. */
export const DeletionHorizon = defineEntity({
  name: 'DeletionHorizon',
  tableName: 'deletion_horizons',
  properties: {
    tenant: p.text().primary(),
    /** Exclusive, of `events.stored_at`. */
    storedTo: p.datetime(6),
  },
});
