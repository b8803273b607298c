import { describe, expect, it } from 'vitest';
import { forSeeds, type Random } from '@sluice/testkit/random';
import { randomJson, randomKey } from '@sluice/testkit/random-json';
import { locateElements, locateWhole } from '../../../src/json/locate-events.ts';

const located = (json: string): string[] => {
  const body = Buffer.from(json);
  return locateElements(body, 'events').map(({ start, end }) => body.toString('utf8', start, end));
};

/** A batch with other properties around its events, and sometimes with more than one key "events". */
function randomBatch(random: Random): string {
  const space = (): string => random.list(2, () => random.pick([' ', '\n', '\t', '\r'])).join('');
  const others = random.list(3, () => `${randomKey(random)}${space()}:${space()}${randomJson(random)}`);
  const key = random.pick(['"events"', '"\\u0065vents"', '"event\\u0073"']);
  const batches = Array.from({ length: 1 + random.int(2) }, () => {
    const events = random.list(5, () => `${space()}${randomJson(random)}${space()}`);
    return `${space()}${key}${space()}:${space()}[${events.join(',') || space()}]${space()}`;
  });
  const all = [...others, ...batches].map((text) => ({ text, order: random.int(1000) }));
  all.sort((a, b) => a.order - b.order);
  return `${space()}{${all.map(({ text }) => text).join(',')}}${space()}`;
}

it('finds in any batch what JSON.parse finds', () => {
  forSeeds((random) => {
    const json = randomBatch(random);
    const { events } = JSON.parse(json) as { events: unknown };
    if (!Array.isArray(events)) return;
    expect(located(json).map((text) => JSON.parse(text) as unknown)).toEqual(events);
  }, 1_000);
});

it('finds each event to the byte, without the space around it', () => {
  expect(located('{ "x":"}]", "events" :[ {"a":"é]"} ,1 , "t\\"]" ,[ ],null\n] }')).toEqual([
    '{"a":"é]"}',
    '1',
    '"t\\"]"',
    '[ ]',
    'null',
  ]);
});

describe('keys', () => {
  it.each([
    ['{"events":[]}', []],
    ['{"a":{"events":[1]},"events":[2]}', ['2']],
    ['{"events":[1],"events":[2,3]}', ['2', '3']],
    ['{"events":[{"events":[1]}]}', ['{"events":[1]}']],
    ['{"\\"events":[1],"events":[2]}', ['2']],
  ])('%s', (json, events) => {
    expect(located(json)).toEqual(events);
  });
});

it('finds the one value of a body, without the space around it', () => {
  forSeeds((random) => {
    const space = (): string => random.list(3, () => random.pick([' ', '\n', '\t', '\r'])).join('');
    const value = randomJson(random);
    const before = space();
    const body = Buffer.from(`${before}${value}${space()}`);
    const { start, end } = locateWhole(body);
    expect(body.toString('utf8', start, end)).toBe(value);
  }, 300);
});
