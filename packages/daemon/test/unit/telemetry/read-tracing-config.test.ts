import { expect, it } from 'vitest';
import { readTracingConfig } from '../../../src/telemetry/read-tracing-config.ts';

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' };

it('traces nothing unless a collector is named', () => {
  expect(readTracingConfig({})).toBeNull();
  expect(readTracingConfig({ ...endpoint, OTEL_SDK_DISABLED: 'true' })).toBeNull();
});

it('has defaults for everything else', () => {
  expect(readTracingConfig(endpoint)).toEqual({
    endpoint: 'http://collector:4318',
    headers: {},
    resource: {},
    ratio: 1,
    maxQueueSize: 4_096,
    delayMs: 1_000,
    clients: 'continue',
  });
});

it("reads OpenTelemetry's lists, and takes invalid percent-encoding as it is", () => {
  expect(
    readTracingConfig({
      ...endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b%3D, tenant=50%',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,service.name=theirs,service.namespace=pipes',
      OTEL_SERVICE_NAME: 'ours',
    }),
  ).toMatchObject({
    headers: { 'api-key': 'a b=', tenant: '50%' },
    resource: { 'deployment.environment.name': 'test', 'service.name': 'ours', 'service.namespace': 'pipes' },
  });
});

it.each([
  ['a URL of another kind', { OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://collector:4317' }],
  ['a URL with the path that is added anyway', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/v1/traces' }],
  ['a URL that is none', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://[' }],
  ['a ratio above 1', { ...endpoint, OTEL_TRACES_SAMPLER_ARG: '2' }],
  ['headers that are no list', { ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'secret' }],
  ['a word for a number', { ...endpoint, OTEL_BSP_MAX_QUEUE_SIZE: 'many' }],
  ['an unknown choice', { ...endpoint, TRACE_CLIENTS: 'trust' }],
])('leaves %s to the daemon to report', (_, environment) => {
  expect(readTracingConfig(environment)).toBeNull();
});
