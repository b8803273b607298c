import { Type } from 'typebox';
import { boolean, choice, integer, number, text } from './variables.ts';

/** OpenTelemetry's form of a list. Values are percent-encoded. */
const PAIRS = '^[^=,\\s]+=[^,]*(,\\s*[^=,\\s]+=[^,]*)*$';

/** Variables of tracing. Every daemon reads them. OpenTelemetry defines the names that start with OTEL_. */
export const telemetryVariables = {
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(
    text({
      unit: 'URL',
      // It may hold a login.
      secret: true,
      // The exporter appends /v1/traces. With the path given, it would send to /v1/traces/v1/traces and get a bare 404.
      pattern: '^https?://(?!.*/v1/traces/?$)',
      format: 'url',
      expected: 'a URL that starts with http:// or https://, without /v1/traces at its end',
      description: 'Where traces go, by OTLP over HTTP (Jaeger v2: port 4318). Not set: nothing is traced.',
    }),
  ),
  OTEL_EXPORTER_OTLP_HEADERS: Type.Optional(
    text({
      unit: 'list',
      secret: true,
      pattern: PAIRS,
      expected: 'a list such as api-key=abc,tenant=1',
      description: 'Headers of each export, for collectors that require a key.',
    }),
  ),
  OTEL_EXPORTER_OTLP_PROTOCOL: choice(['http/protobuf'], {
    default: 'http/protobuf',
    unit: '-',
    description: 'Protocol of the collector. Traces go by HTTP with protobuf only, not by `grpc` or `http/json`.',
  }),
  OTEL_TRACES_EXPORTER: choice(['otlp', 'none'], {
    default: 'otlp',
    unit: '-',
    description: '`none`: nothing is traced.',
  }),
  OTEL_SDK_DISABLED: boolean({
    default: false,
    unit: '-',
    description: 'true: nothing is traced, whatever else is set.',
  }),
  OTEL_SERVICE_NAME: Type.Optional(
    text({ unit: '-', description: "Name of the service in traces. Default: `sluice-` and the daemon's name." }),
  ),
  OTEL_RESOURCE_ATTRIBUTES: Type.Optional(
    text({
      unit: 'list',
      pattern: PAIRS,
      expected: 'a list such as deployment.environment.name=test,team=data',
      description: 'Attributes of the process in every span, besides name, version and instance.',
    }),
  ),
  OTEL_TRACES_SAMPLER_ARG: number({
    default: 1,
    minimum: 0,
    maximum: 1,
    unit: 'ratio',
    description:
      'Share of traces that are sampled when the client has not decided. Traces of failures after the queue are always sampled.',
  }),
  OTEL_BSP_MAX_QUEUE_SIZE: integer({
    default: 4_096,
    minimum: 16,
    maximum: 1_000_000,
    unit: 'spans',
    description: 'Most spans that wait for the collector. More are dropped and counted.',
  }),
  OTEL_BSP_SCHEDULE_DELAY: integer({
    default: 1_000,
    minimum: 10,
    maximum: 60_000,
    unit: 'ms',
    description: 'How often waiting spans are sent.',
  }),
  TRACE_CLIENTS: choice(['continue', 'link'], {
    default: 'continue',
    unit: '-',
    description:
      "Whether a request continues the trace of its client's `traceparent`, or starts a trace that links to it.",
  }),
};

/** Whether a configuration asks for traces. */
export function isTracingWanted(config: {
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  readonly OTEL_SDK_DISABLED: boolean;
  readonly OTEL_TRACES_EXPORTER: string;
}): boolean {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: exporter } = config;
  return endpoint !== undefined && exporter !== 'none' && !config.OTEL_SDK_DISABLED;
}
