import { defineEntity, p } from '@mikro-orm/core';

/** A partition that is past EVENT_RETENTION_DAYS, but holds events of tenants whose own time is not over. */
export const KeptPartition = defineEntity({
  name: 'KeptPartition',
  tableName: 'kept_partitions',
  properties: {
    name: p.text().primary(),
    /** The tenants that it stays for. */
    keepers: p.type('text[]').columnType('text[]').$type<string[]>(),
    /** No event of other tenants stored before this is left in it. */
    expiredTo: p.datetime(3),
  },
});
