import { Type } from 'typebox';
import { ConfigError } from '../runtime/config-error.ts';
import { readConfig } from '../runtime/read-config.ts';
import type { Environment } from '../runtime/read-environment.ts';
import { telemetryVariables } from './telemetry-variables.ts';

/** How a daemon traces. */
export interface TracingConfig {
  /** Base URL of the collector; spans go to `/v1/traces` below it. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly ratio: number;
  readonly maxQueueSize: number;
  readonly delayMs: number;
  /** Whether a client's trace is continued, or only linked to. */
  readonly clients: 'continue' | 'link';
}

/**
 * What tracing needs to know before the daemon's own configuration is read.
 *
 * @returns null when nothing is to be traced, and when a variable is wrong: the daemon reads the same variables
 *   again and reports all mistakes at once
 */
export function readTracingConfig(environment: Environment): TracingConfig | null {
  try {
    const values = readConfig(Type.Object(telemetryVariables), environment);
    if (values.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return null;
    return Object.freeze({
      endpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT.replace(/\/+$/, ''),
      headers: headersOf(values.OTEL_EXPORTER_OTLP_HEADERS ?? ''),
      ratio: values.OTEL_TRACES_SAMPLER_ARG,
      maxQueueSize: values.OTEL_BSP_MAX_QUEUE_SIZE,
      delayMs: values.OTEL_BSP_SCHEDULE_DELAY,
      clients: values.TRACE_CLIENTS,
    });
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

function headersOf(list: string): Record<string, string> {
  const pairs = list.split(',').filter((pair) => pair !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())];
    }),
  );
}
