/**
 * Names the connections of the daemons in `pg_stat_activity`. The names are part of the fence's proof: an observer of open
 * transactions leaves out the sessions in STORE_NO_EVENTS, so a connection that stores events must not have such a name.
 */
export const APPLICATION_NAMES = {
  writer: 'sluice-writer',
  maintenance: 'sluice-maintenance',
  query: 'sluice-query',
  /** On DATABASE_READ_URL. */
  queryRead: 'sluice-query-read',
  /** The one connection that the stored API keys are read on. */
  queryKeys: 'sluice-query-keys',
} as const;

/** Connections whose transactions commit no events. Exports read for hours; counted as open, they would keep the floor back. */
export const STORE_NO_EVENTS: readonly string[] = [
  APPLICATION_NAMES.maintenance,
  APPLICATION_NAMES.query,
  APPLICATION_NAMES.queryRead,
  APPLICATION_NAMES.queryKeys,
];
