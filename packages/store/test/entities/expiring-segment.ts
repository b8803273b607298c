import { defineEntity, p } from '@mikro-orm/core';

/** A segment that is being deleted. It is registered before its DETACH, so that another worker can continue. */
export const ExpiringSegment = defineEntity({
  name: 'ExpiringSegment',
  tableName: 'expiring_segments',
  properties: {
    relation: p.text().primary(),
    /** Tenants whose events another segment has taken over. */
    keepers: p.type('text[]').columnType('text[]').$type<string[]>().defaultRaw("'{}'"),
    /** Of its verified archive; null before, and where nothing is archived. */
    manifestKey: p.text().nullable(),
    /** The events in blocks before this are gone from the projections. */
    nextBlock: p.bigint().defaultRaw('0'),
    /** How many events those were. */
    events: p.bigint().defaultRaw('0'),
    startedAt: p.datetime(6).defaultRaw('now()'),
  },
});
