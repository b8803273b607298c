/**
 * Names of the variables that libpq reads, or pg in its place. DATABASE_URL alone says how to connect, so Sluice gives
 * them no effect and warns of each one that is set. PGDATA and the like belong to the server and are none of these.
 */
const LIBPQ_VARIABLES: ReadonlySet<string> = new Set([
  'PGAPPNAME',
  'PGCHANNELBINDING',
  'PGCLIENTENCODING',
  'PGCLIENT_ENCODING',
  'PGCONNECT_TIMEOUT',
  'PGDATABASE',
  'PGDATESTYLE',
  'PGGEQO',
  'PGGSSDELEGATION',
  'PGGSSENCMODE',
  'PGGSSLIB',
  'PGHOST',
  'PGHOSTADDR',
  'PGKRBSRVNAME',
  'PGLOADBALANCEHOSTS',
  'PGMAXPROTOCOLVERSION',
  'PGMINPROTOCOLVERSION',
  'PGOPTIONS',
  'PGPASSFILE',
  'PGPASSWORD',
  'PGPORT',
  'PGREPLICATION',
  'PGREQUIREAUTH',
  'PGREQUIREPEER',
  'PGREQUIRESSL',
  'PGSERVICE',
  'PGSERVICEFILE',
  'PGSSLCERT',
  'PGSSLCERTMODE',
  'PGSSLCOMPRESSION',
  'PGSSLCRL',
  'PGSSLCRLDIR',
  'PGSSLKEY',
  'PGSSLMAXPROTOCOLVERSION',
  'PGSSLMINPROTOCOLVERSION',
  'PGSSLMODE',
  'PGSSLNEGOTIATION',
  'PGSSLROOTCERT',
  'PGSSLSNI',
  'PGSYSCONFDIR',
  'PGTARGETSESSIONATTRS',
  'PGTZ',
  'PGUSER',
]);

export function isLibpqVariable(name: string): boolean {
  return LIBPQ_VARIABLES.has(name);
}
