import { Type } from 'typebox';
import { ConfigError } from '../config/config-error.ts';
import { readConfig } from '../config/read-config.ts';
import type { Environment } from '../config/read-environment.ts';
import { isTracingWanted, telemetryVariables } from '../config/telemetry-variables.ts';

/** How a daemon traces. */
export interface TracingConfig {
  /** Base URL of the collector; spans go to `/v1/traces` below it. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Attributes of the process in every span. They add to the daemon's own, or replace them. */
  readonly resource: Readonly<Record<string, string>>;
  readonly ratio: number;
  readonly maxQueueSize: number;
  readonly delayMs: number;
  /** Whether a client's trace is continued, or only linked to. */
  readonly clients: 'continue' | 'link';
}

/**
 * Reads what tracing needs, before the daemon's own configuration is read.
 *
 * @returns null when tracing is off, and when a variable is wrong: the daemon reads the same variables again and reports
 *   all mistakes at once
 */
export function readTracingConfig(environment: Environment): TracingConfig | null {
  try {
    const values = readConfig(Type.Object(telemetryVariables), environment);
    if (!isTracingWanted(values)) return null;
    const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint = '', OTEL_SERVICE_NAME: name } = values;
    return Object.freeze({
      endpoint: endpoint.replace(/\/+$/, ''),
      headers: pairsOf(values.OTEL_EXPORTER_OTLP_HEADERS ?? ''),
      resource: {
        ...pairsOf(values.OTEL_RESOURCE_ATTRIBUTES ?? ''),
        ...(name === undefined ? {} : { 'service.name': name }),
      },
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

function pairsOf(list: string): Record<string, string> {
  const pairs = list.split(',').filter((pair) => pair !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())];
    }),
  );
}

/** Takes a text as it is when its percent-encoding is invalid. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
