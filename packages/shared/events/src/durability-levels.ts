/**
 * What a 202 can promise, from weak to strong: Redis has it in memory; it is on Redis's disk; it is on
 * the disk of replicas too.
 */
export const DURABILITY_LEVELS = ['memory', 'fsync', 'replicated'] as const;
export type Durability = (typeof DURABILITY_LEVELS)[number];
