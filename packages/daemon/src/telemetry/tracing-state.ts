import { isTracingWanted } from '../config/telemetry-variables.ts';
import { redactUrl } from '../log/redact-url.ts';
import { activeProvider } from './active-provider.ts';

/** Whether this process traces, as the log says it. */
export interface TracingState {
  readonly state: 'on' | 'off' | 'not loaded';
  /** Of the collector, without a login. */
  readonly endpoint?: string;
  /** Share of traces that are kept. */
  readonly ratio?: number;
}

/**
 * What came of the variables: `not loaded` when a collector is set, but the process was started without
 * `--import …/tracing.ts`, so that nothing is traced.
 */
export function tracingState(config: {
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  readonly OTEL_SDK_DISABLED: boolean;
  readonly OTEL_TRACES_SAMPLER_ARG: number;
}): TracingState {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER_ARG: ratio } = config;
  if (endpoint === undefined || !isTracingWanted(config)) return { state: 'off' };
  return activeProvider() ? { state: 'on', endpoint: redactUrl(endpoint), ratio } : { state: 'not loaded' };
}
