/**
 * Names of the daemons' connections in `pg_stat_activity`. The fence relies on them: an observer of open transactions
 * leaves out the sessions in STORE_NO_EVENTS. A connection that stores events must not have such a name.
 */
export const APPLICATION_NAMES = {
  writer: 'sluice-writer',
  maintenance: 'sluice-maintenance',
  query: 'sluice-query',
  /** On DATABASE_READ_URL. */
  queryRead: 'sluice-query-read',
  /** The one connection that reads the stored API keys. */
  queryKeys: 'sluice-query-keys',
} as const;

/** Connections whose transactions commit no events. Exports read for hours; if they counted, they would hold the floor back. */
export const STORE_NO_EVENTS: readonly string[] = [
  APPLICATION_NAMES.maintenance,
  APPLICATION_NAMES.query,
  APPLICATION_NAMES.queryRead,
  APPLICATION_NAMES.queryKeys,
];
