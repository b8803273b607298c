import { Type } from 'typebox';
import { expect, it } from 'vitest';
import { readConfig } from '../../../src/config/read-config.ts';
import { isServiceLink } from '../../../src/config/service-links.ts';
import { port } from '../../../src/config/variables.ts';

it.each([
  ['SLUICE_SERVICE_HOST', '10.0.0.1'],
  ['SLUICE_SERVICE_HOST', 'fd00::1'],
  ['SLUICE_SERVICE_PORT', '8080'],
  ['SLUICE_SERVICE_PORT_HTTP', '8080'],
  ['SLUICE_PORT', 'tcp://10.0.0.1:8080'],
  ['SLUICE_PORT', 'tcp://[fd00::1]:8080'],
  ['SLUICE_PORT_8080_TCP', 'tcp://10.0.0.1:8080'],
  ['SLUICE_PORT_53_UDP', 'udp://10.0.0.1:53'],
  ['SLUICE_PORT_8080_TCP_PROTO', 'tcp'],
  ['SLUICE_PORT_8080_TCP_PORT', '8080'],
  ['SLUICE_PORT_8080_TCP_ADDR', '10.0.0.1'],
  ['SLUICE_INGEST_SERVICE_HOST', '10.0.0.1'],
  ['SLUICE_INGEST_API_PORT_8080_TCP_ADDR', '10.0.0.1'],
])('%s=%s is written by Kubernetes and left out', (name, value) => {
  expect(isServiceLink(name, value)).toBe(true);
  expect(readConfig(Type.Object({}), { [name]: value })).toEqual({});
});

it.each([
  ['SLUICE_PORT', '8080'],
  ['SLUICE_PORT', 'http://10.0.0.1:8080'],
  ['SLUICE_PORT', 'tcp://10.0.0.1'],
  ['SLUICE_SERVICE_HOST', 'redis'],
  ['SLUICE_SERVICE_PORT', 'http'],
  ['SLUICE_SERVICE', '10.0.0.1'],
  ['SLUICE_HOST', '10.0.0.1'],
  ['SLUICE_PORT_8080_TCP_PROTO', 'http'],
  ['SLUICE_NAMESPACES', 'tcp://10.0.0.1:8080'],
])('%s=%s is a typing error and refused', (name, value) => {
  expect(() => readConfig(Type.Object({}), { [name]: value })).toThrow(`${name} is not a variable of Sluice.`);
});

it('a port that a service of that name set counts as not set; another value of it is refused', () => {
  const schema = Type.Object({ INGEST_PORT: port({ default: 8080, description: '' }) });
  expect(readConfig(schema, { INGEST_PORT: 'tcp://10.0.0.1:80' })).toEqual({ INGEST_PORT: 8080 });
  expect(() => readConfig(schema, { INGEST_PORT: 'tcp://10.0.0.1' })).toThrow('INGEST_PORT must be');
});
