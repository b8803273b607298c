import { defineEntity, p } from '@mikro-orm/core';

/** A partition that is being deleted. It is registered before its DETACH, so that another worker can continue. */
export const ExpiringPartition = defineEntity({
  name: 'ExpiringPartition',
  tableName: 'expiring_partitions',
  properties: {
    name: p.text().primary(),
    /** Of its `stored_at`: inclusive, exclusive. */
    lowerBound: p.datetime(6),
    upperBound: p.datetime(6),
    /** Of its verified archive; null before, and where nothing is archived. */
    manifestKey: p.text().nullable(),
    /** Ids and roll-ups of the events in blocks before this are gone. */
    nextBlock: p.bigint().defaultRaw('0'),
    /** How many events those were. */
    events: p.bigint().defaultRaw('0'),
    startedAt: p.datetime(6).defaultRaw('now()'),
  },
});
