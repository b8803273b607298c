import { beforeEach, expect, it } from 'vitest';
import { ANONYMOUS, configuredPrincipal, type Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import { createQuotas, type Quotas } from '../../../src/limits/quotas.ts';

let now = 0;
let quotas: Quotas;
beforeEach(() => {
  now = 1_000;
  quotas = createQuotas(100, () => now);
});

const key = (id: string, eventsPerSecond: number | null = null): Principal => ({
  ...configuredPrincipal({ id, name: id, tenant: 'acme', scopes: ['ingest'] }),
  eventsPerSecond,
});

/** Sends a batch; returns null when it is let in, else the seconds until the next try. */
function send(principal: Principal | null, events: number): number | null | undefined {
  try {
    quotas.check(principal);
  } catch (error) {
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code: 'quota_exceeded' });
    return (error as ApiError).retryAfter;
  }
  quotas.charge(principal, events);
  return null;
}

it('lets a second’s worth in, and the next when it is paid for', () => {
  const one = key('one');
  expect(send(one, 60)).toBeNull();
  expect(send(one, 40)).toBeNull();
  expect(send(one, 1)).toBe(1);
  now += 10;
  expect(send(one, 1)).toBeNull();
  expect(send(one, 1)).toBe(1);
});

it('lets a batch larger than the quota in once, and has it paid for by waiting', () => {
  const one = key('one');
  expect(send(one, 500)).toBeNull();
  expect(send(one, 1)).toBe(5);
  now += 4_000;
  expect(send(one, 1)).toBe(1);
  now += 10;
  expect(send(one, 1)).toBeNull();
});

it('a client that waits for Retry-After is then let in, and keeps to the rate over a minute', () => {
  const one = key('one');
  const start = now;
  let events = 0;
  while (now < start + 60_000) {
    const wait = send(one, 250);
    if (wait === null) events += 250;
    else now += wait! * 1_000;
  }
  expect(events).toBeGreaterThan(5_000);
  expect(events).toBeLessThanOrEqual(6_000 + 100 + 250);
});

it('a part of an event is none', () => {
  const one = key('one', 1);
  expect(send(one, 1)).toBeNull();
  now += 500;
  expect(send(one, 1)).toBe(1);
  now += 500;
  expect(send(one, 1)).toBeNull();
});

it('an idle hour saves up one second’s worth', () => {
  const one = key('one');
  expect(send(one, 100)).toBeNull();
  now += 3_600_000;
  expect(send(one, 100)).toBeNull();
  expect(send(one, 1)).toBe(1);
});

it('counts each key by itself, with its own quota if it has one', () => {
  expect(send(key('one'), 100)).toBeNull();
  expect(send(key('two', 10), 100)).toBeNull();
  expect(send(key('one'), 1)).toBe(1);
  expect(send(key('two', 10), 1)).toBe(10);
});

it.each([
  ['a key without one', key('free', 0)],
  ['no key', null],
  ['an open ingest', ANONYMOUS],
])('has no quota for %s', (_who, principal) => {
  for (let times = 0; times < 5; times += 1) expect(send(principal, 1_000_000)).toBeNull();
});
