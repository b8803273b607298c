/**
 * What a 202 can promise, from weak to strong: Redis has the batch in memory; on its disk; on the disks of replicas too.
 */
export const DURABILITY_LEVELS = ['memory', 'fsync', 'replicated'] as const;
export type Durability = (typeof DURABILITY_LEVELS)[number];
