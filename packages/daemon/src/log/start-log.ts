import type { TObject } from 'typebox';
import { VERSION } from '@sluice/errors/version';
import type { Environment } from '../config/read-environment.ts';
import { memoryProfile } from '../memory.ts';
import { tracingState } from '../telemetry/tracing-state.ts';
import { logConsole } from './log-console.ts';
import type { LogFormat } from './log-output.ts';
import { logOutput } from './log-output.ts';
import { logSettings } from './log-settings.ts';
import { logTracing } from './log-tracing.ts';
import { createLogger, type Logger } from './logger.ts';
import { redactUrl } from './redact-url.ts';

/** The variables that the log needs. Every daemon's configuration has them. */
export interface LogConfig {
  readonly LOG_LEVEL: string;
  readonly LOG_FORMAT: LogFormat;
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  readonly OTEL_SDK_DISABLED: boolean;
  readonly OTEL_TRACES_EXPORTER: string;
  readonly OTEL_TRACES_SAMPLER_ARG: number;
  readonly REDIS_URL?: string | undefined;
  readonly DATABASE_URL?: string | undefined;
}

/**
 * Starts a daemon's log. The first line says what runs, how it uses memory, which servers it uses and whether it is
 * traced. The next lines warn of settings that have no effect. From here on, what libraries print is in the log too.
 *
 * @param environment what the configuration was read from
 * @param schema all variables of the daemon
 * @param more further fields of the first line
 */
export async function startLog(
  daemon: string,
  config: LogConfig,
  environment: Environment,
  { properties }: Pick<TObject, 'properties'>,
  more: object = {},
): Promise<Logger> {
  const logger = createLogger(
    { daemon, version: VERSION, level: config.LOG_LEVEL },
    await logOutput(config.LOG_FORMAT),
  );
  logConsole(logger);
  logTracing(logger);
  const { REDIS_URL: redis, DATABASE_URL: database } = config;
  const tracing = tracingState(config);
  logger.info(
    {
      node: process.version,
      memory: memoryProfile(),
      ...(redis === undefined ? {} : { redis: redactUrl(redis) }),
      ...(database === undefined ? {} : { database: redactUrl(database) }),
      ...more,
      tracing,
    },
    'starting',
  );
  logSettings(logger, environment, { variables: Object.keys(properties) });
  if (tracing.state === 'not loaded')
    logger.warn('nothing is traced: OTEL_EXPORTER_OTLP_ENDPOINT is set, but tracing.ts was not loaded with --import');
  return logger;
}
