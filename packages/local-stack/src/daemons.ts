/**
 * The daemons, in the order in which they start: workers first, then the APIs whose requests they serve.
 * Each is a package with that name and a `src/main.ts`.
 */
export const DAEMONS = ['writer-worker', 'maintenance-worker', 'query-api', 'ingest-api'] as const;

export type DaemonName = (typeof DAEMONS)[number];

/** First ingest closes, then the writer stores what was accepted, then the others stop. */
export const STOP_ORDER: readonly (readonly DaemonName[])[] = [
  ['ingest-api'],
  ['writer-worker'],
  ['maintenance-worker', 'query-api'],
];

/** The variable that says on which port each listens, and the port if it is not set. */
export const PORTS: Readonly<Record<DaemonName, { readonly variable: string; readonly port: number }>> = {
  'ingest-api': { variable: 'INGEST_PORT', port: 8080 },
  'query-api': { variable: 'QUERY_PORT', port: 8081 },
  'writer-worker': { variable: 'WRITER_PORT', port: 8082 },
  'maintenance-worker': { variable: 'MAINTENANCE_PORT', port: 8083 },
};
