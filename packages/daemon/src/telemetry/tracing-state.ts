import { isTracingWanted } from '../config/telemetry-variables.ts';
import { redactUrl } from '../log/redact-url.ts';
import { activeProvider } from './active-provider.ts';

/** Whether this process traces; part of the first log line. */
export interface TracingState {
  readonly state: 'on' | 'off' | 'not loaded';
  /** Address of the collector, without a login. */
  readonly endpoint?: string;
  /** Share of traces that are sampled. */
  readonly ratio?: number;
}

/**
 * Says whether tracing is on. `not loaded`: a collector is set, but the process was started without
 * `--import …/tracing.ts`, so nothing is traced.
 */
export function tracingState(config: {
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  readonly OTEL_SDK_DISABLED: boolean;
  readonly OTEL_TRACES_EXPORTER: string;
  readonly OTEL_TRACES_SAMPLER_ARG: number;
}): TracingState {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER_ARG: ratio } = config;
  if (endpoint === undefined || !isTracingWanted(config)) return { state: 'off' };
  return activeProvider() ? { state: 'on', endpoint: redactUrl(endpoint), ratio } : { state: 'not loaded' };
}
