/** API keys, as hashes. */
export const name = '0006-api-keys';
export const compatibleSince = '0.1.0';

export const statements: readonly string[] = [
  `CREATE TABLE api_keys (
     id text PRIMARY KEY,
     digest bytea NOT NULL,
     name text NOT NULL,
     scopes text[] NOT NULL,
     tenant text,
     requests_per_minute integer,
     events_per_second integer,
     created_at timestamptz(6) NOT NULL DEFAULT now(),
     created_by text NOT NULL,
     expires_at timestamptz(6),
     last_used_at timestamptz(6),
     revoked_at timestamptz(6),
     CONSTRAINT api_keys_scopes CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['ingest', 'read', 'operate', 'admin'])
   )`,
];
