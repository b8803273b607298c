import { defineEntity, p } from '@mikro-orm/core';

/** At one moment: no transaction that gets the id `next_tx` or a later one began before `floor`. */
export const FenceObservation = defineEntity({
  name: 'FenceObservation',
  tableName: 'fence_observations',
  properties: {
    systemIdentifier: p.text().primary(),
    nextTx: p.type('xid8').columnType('xid8').$type<string>().primary(),
    floor: p.datetime(6),
    observedAt: p.datetime(6),
  },
});
