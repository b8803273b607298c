import { defineEntity, p } from '@mikro-orm/core';

/** An API key, without the key itself. */
export const ApiKey = defineEntity({
  name: 'ApiKey',
  tableName: 'api_keys',
  checks: [
    {
      name: 'api_keys_scopes',
      expression: "cardinality(scopes) > 0 AND scopes <@ ARRAY['ingest', 'read', 'operate', 'admin']",
    },
  ],
  properties: {
    /** A part of the key, by which it is found. */
    id: p.text().primary(),
    /** SHA-256 of the whole key. */
    digest: p.blob(),
    name: p.text(),
    scopes: p.array(),
    /** Null for all tenants. */
    tenant: p.text().nullable(),
    /** Null for RATE_LIMIT_PER_MINUTE. */
    requestsPerMinute: p.integer().nullable(),
    /** Null for INGEST_RATE_LIMIT. */
    eventsPerSecond: p.integer().nullable(),
    createdAt: p.datetime(6).defaultRaw('now()'),
    createdBy: p.text(),
    expiresAt: p.datetime(6).nullable(),
    /** Exact to about a minute. */
    lastUsedAt: p.datetime(6).nullable(),
    revokedAt: p.datetime(6).nullable(),
  },
});
