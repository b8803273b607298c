import { Type } from 'typebox';
import { parseTenantKeys } from '@sluice/accept/keys/tenant-keys';
import { readConfig } from '@sluice/daemon/config/read-config';
import type { Environment } from '@sluice/daemon/config/read-environment';
import { choice, integer, list, port, NAME_PATTERN } from '@sluice/daemon/config/variables';
import { daemonVariables, redisVariables } from '@sluice/daemon/daemon-variables';
import { httpVariables } from '@sluice/daemon/http/http-variables';
import { DURABILITY_LEVELS } from '@sluice/stream/durability';
import { streamVariables } from '@sluice/stream/stream-variables';

/** The variables of the ingest API. docs/reference/configuration.md is generated from this schema. */
export const INGEST_VARIABLES = Type.Object({
  ...daemonVariables,
  ...redisVariables,
  ...streamVariables,
  ...httpVariables,
  INGEST_PORT: port({ default: 8080, description: 'Port of the ingest API.' }),
  API_KEYS: Type.Optional(
    list({
      unit: 'list',
      secret: true,
      refuseEmpty: true,
      item: `${NAME_PATTERN}:[0-9a-fA-F]{64}`,
      expected: 'a list of tenant:sha256-of-key, separated by commas',
      description:
        'Keys by tenant, as `tenant:sha256-of-key` in hex. Without API_KEY, API_KEYS and REQUIRE_KEYS ingest runs open.',
    }),
  ),
  COLLECT_SITES: list({
    unit: 'list',
    default: '',
    item: NAME_PATTERN,
    expected: 'a list of site ids, separated by commas',
    description: 'Sites whose pages may use /collect and /pixel.gif without a key; the site id is the tenant.',
  }),
  MAX_BATCH_SIZE: integer({
    default: 1_000,
    minimum: 1,
    maximum: 10_000,
    unit: 'events',
    description: 'Most events in one request.',
  }),
  MAX_BODY_BYTES: integer({
    default: 16 * 1024 * 1024,
    minimum: 1_024,
    maximum: 64 * 1024 * 1024,
    unit: 'bytes',
    description: 'Largest request body, after decompression.',
  }),
  // A body takes up to 2.5 times its bytes while it is parsed: 192 MiB and the process itself fit compose's 768 MiB.
  MAX_IN_FLIGHT_BYTES: integer({
    default: 192 * 1024 * 1024,
    minimum: 1024 * 1024,
    maximum: 64 * 1024 * 1024 * 1024,
    unit: 'bytes',
    description: 'Most bytes of decompressed bodies that one process holds at a time; beyond them it answers 503.',
  }),
  INGEST_RATE_LIMIT: integer({
    default: 0,
    minimum: 0,
    maximum: 1_000_000_000,
    unit: 'events/s',
    description:
      'Events that one key may send per second to one ingest process, unless the key has its own limit; 0 for no limit. Each 4 KiB of a body count as one event at least.',
  }),
  IDEMPOTENCY_HOURS: integer({
    default: 24,
    minimum: 0,
    maximum: 7 * 24,
    unit: 'h',
    description:
      'How long an `Idempotency-Key` with another body is answered with 422; 0 for never. Event ids do not depend on it.',
  }),
  DURABILITY: choice(DURABILITY_LEVELS, {
    default: 'fsync',
    unit: '-',
    description:
      'What a 202 promises: in memory, on disk, or on the disks of replicas too. Never claims more than Redis gives.',
  }),
  DURABILITY_REPLICAS: integer({
    default: 1,
    minimum: 1,
    maximum: 10,
    unit: 'replicas',
    description: 'Replicas that must have a batch on disk for `replicated`.',
  }),
  QUEUE_TIMEOUT_MS: integer({
    default: 800,
    minimum: 50,
    maximum: 60_000,
    unit: 'ms',
    description: 'How long Redis may take for a batch before the answer is 503.',
  }),
  QUEUE_MAX_AGE_SECONDS: integer({
    default: 3_600,
    minimum: 1,
    maximum: 30 * 24 * 3_600,
    unit: 's',
    description: 'Age of the oldest waiting event above which ingest answers 429.',
  }),
  QUEUE_MAX_BYTES: integer({
    default: 2 * 1024 * 1024 * 1024,
    minimum: 1024 * 1024,
    maximum: Number.MAX_SAFE_INTEGER,
    unit: 'bytes',
    description: 'Backlog in Redis above which ingest answers 429. 80 % of Redis maxmemory is a limit too.',
  }),
});

export type IngestConfig = ReturnType<typeof readIngestConfig>;

/**
 * Reads and validates the configuration.
 *
 * @returns the values, and the key ring of API_KEY and API_KEYS. Stored keys are looked up after these.
 * @throws ConfigError that names every mistake
 */
export function readIngestConfig(environment: Environment) {
  const values = readConfig(INGEST_VARIABLES, environment);
  const configuredKeys = parseTenantKeys(values.API_KEY, values.API_KEYS, values.REQUIRE_KEYS);
  return Object.freeze({ ...values, configuredKeys });
}
