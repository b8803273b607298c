import { defineEntity, p } from '@mikro-orm/core';

/** A cluster that the data has lived in; the one with the highest id is the current one. */
export const FenceCluster = defineEntity({
  name: 'FenceCluster',
  tableName: 'fence_clusters',
  properties: {
    id: p.integer().primary().generated('identity'),
    systemIdentifier: p.text(),
    /** Rows stored before this came from an earlier cluster. Null for the first one. */
    base: p.datetime(6).nullable(),
    knownSince: p.datetime(6).defaultRaw('now()'),
  },
});
