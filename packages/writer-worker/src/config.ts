import { hostname } from 'node:os';
import { Type } from 'typebox';
import { ConfigError } from '@sluice/daemon/config/config-error';
import { readConfig } from '@sluice/daemon/config/read-config';
import type { Environment } from '@sluice/daemon/config/read-environment';
import { integer, port, text } from '@sluice/daemon/config/variables';
import { daemonVariables, databaseVariables, redisVariables } from '@sluice/daemon/daemon-variables';
import { SILENCE_MARGIN_MS } from '@sluice/store/silence-margin';
import { streamVariables } from '@sluice/stream/stream-variables';

/** The writer's variables. docs/reference/configuration.md is generated from them. */
export const WRITER_VARIABLES = Type.Object({
  ...daemonVariables,
  ...redisVariables,
  ...databaseVariables,
  ...streamVariables,
  WRITER_PORT: port({ default: 8082, description: "Port of the writer's health endpoints." }),
  WRITER_NAME: Type.Optional(
    text({
      unit: '-',
      pattern: '^[A-Za-z0-9_.:-]{1,100}$',
      expected: 'made of letters, digits, dot, dash, colon and underscore',
      description:
        'Name of this consumer. It must stay the same over restarts and differ between writers. Default: the host name.',
    }),
  ),
  WRITER_CONCURRENCY: integer({
    default: 3,
    minimum: 1,
    maximum: 64,
    unit: 'transactions',
    description: 'Transactions that one writer has in flight at once.',
  }),
  WRITER_BATCH_EVENTS: integer({
    default: 500,
    minimum: 1,
    maximum: 5_000,
    unit: 'events',
    description: 'Most events in one transaction.',
  }),
  WRITER_LINGER_MS: integer({
    default: 10,
    minimum: 0,
    maximum: 10_000,
    unit: 'ms',
    description: 'How long a batch that is not full waits for more events.',
  }),
  DELIVERY_LIMIT: integer({
    default: 5,
    minimum: 1,
    maximum: 1_000,
    unit: 'deliveries',
    description: 'An entry that was delivered more often than this is run alone: it may have crashed its readers.',
  }),
  PROGRESS_TIMEOUT_MS: integer({
    default: 120_000,
    minimum: 60_000,
    maximum: 86_400_000,
    unit: 'ms',
    description:
      'A writer whose consumer gives no sign of life for this long fails `/live`. Must be more than STATEMENT_TIMEOUT_MS + 5000.',
  }),
  RECLAIM_IDLE_MS: integer({
    default: 120_000,
    minimum: 100,
    maximum: 86_400_000,
    unit: 'ms',
    description:
      'A writer takes over an entry that another has held for this long. Set it far above STATEMENT_TIMEOUT_MS.',
  }),
});

/** @throws ConfigError naming every mistake */
export function readWriterConfig(environment: Environment) {
  const values = readConfig(WRITER_VARIABLES, environment);
  const slowest = values.STATEMENT_TIMEOUT_MS + SILENCE_MARGIN_MS;
  if (values.PROGRESS_TIMEOUT_MS <= slowest)
    throw new ConfigError([
      `PROGRESS_TIMEOUT_MS must be more than STATEMENT_TIMEOUT_MS + ${SILENCE_MARGIN_MS}, which is ${slowest}: a slow statement is no reason to restart`,
    ]);
  return Object.freeze({ ...values, WRITER_NAME: values.WRITER_NAME ?? hostname() });
}
