import { afterAll, expect, it } from 'vitest';
import { instrumentations } from '../../../src/telemetry/instrumentations.ts';

const all = instrumentations('continue');
afterAll(() => {
  for (const each of all) each.disable();
});

/** What the hooks of one of them do; its types are not those of the common interface. */
function hooksOf(name: string): Record<string, (...args: unknown[]) => unknown> {
  const found = all.find(({ instrumentationName }) => instrumentationName === `@opentelemetry/instrumentation-${name}`);
  return found!.getConfig() as unknown as Record<string, (...args: unknown[]) => unknown>;
}

it('patches what is in use here, and nothing else', () => {
  expect(
    all.map(({ instrumentationName }) => instrumentationName.replace('@opentelemetry/instrumentation-', '')),
  ).toEqual(['aws-sdk', 'http', 'ioredis', 'pg']);
});

it.each([
  ["INSERT INTO sessions (actor) VALUES ('ada')", undefined, 'INSERT'],
  ["  select 1 WHERE actor = 'ada'", [], 'select'],
  ['SELECT 1 WHERE actor = $1', ['ada'], undefined],
])('a statement with values in its text is cut to its verb: %s', (text, values, shown) => {
  const set: Record<string, unknown> = {};
  const span = { setAttribute: (key: string, value: unknown) => (set[key] = value) };
  hooksOf('pg')['requestHook']!(span, { query: { text, values } });
  expect(set['db.query.text']).toBe(shown);
});

it.each([
  ['/health', true],
  ['/live?verbose', true],
  ['/docs/static/index.css', true],
  ['/metrics', true],
  ['/api/events', false],
  ['/healthy', false],
  ['/api/health', false],
])('%s has no span: %s', (url, quiet) => {
  expect(hooksOf('http')['ignoreIncomingRequestHook']!({ url })).toBe(quiet);
});

it('a span has only the names of a query', () => {
  expect(hooksOf('http')['startIncomingSpanHook']!({ url: '/pixel.gif?siteId=docs&visitorId=v-81' })).toEqual({
    'url.query': 'siteId&visitorId',
  });
});
