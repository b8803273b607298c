import { expect, test } from 'vitest';
import { governanceTracker } from '@sluice/events/adapters/governance-tracker/governance-tracker';
import { countPlainEvents } from '@sluice/events/adapters/governance-tracker/plain-batch';
import { TEXT_FIELDS } from '@sluice/events/adapters/governance-tracker/text-fields';
import { MAX_NESTING } from '@sluice/events/canonical-event';
import { readBody } from '@sluice/events/json/read-body';
import { makeEvents } from '@sluice/testkit/make-event';
import { forSeeds } from '@sluice/testkit/random';
import { validateEvents } from '../../src/validate-events.ts';

const NOW = Date.parse('2026-11-21T09:30:00.000Z');
const MAX_EVENT_BYTES = 2_000;
const LIMITS = { maxEvents: 5, maxEventBytes: MAX_EVENT_BYTES };

const MINIMAL = '{"eventType":"CellChange","timestamp":"2026-11-21T09:30:00.000Z"}';
const count = (body: string | Buffer): number => countPlainEvents(Buffer.from(body), NOW, LIMITS);
/** A batch of one event with these properties besides. */
const withMore = (properties: string): string => `{"events":[${MINIMAL.slice(0, -1)},${properties}}]}`;
const at = (timestamp: string): string => `{"events":[{"eventType":"a","timestamp":"${timestamp}"}]}`;

/** A batch of events with arrays of these lengths. */
function ofValues(...lengths: number[]): Buffer {
  const events = lengths.map((length) => `${MINIMAL.slice(0, -1)},"v":[${Array(length).fill(0).join(',')}]}`);
  return Buffer.from(`{"events":[${events.join(',')}]}`);
}

function arrays(deep: number): string {
  return '['.repeat(deep) + ']'.repeat(deep);
}
function objects(deep: number): string {
  return `${'{"a":'.repeat(deep)}1${'}'.repeat(deep)}`;
}
/** A batch of one event of this size. */
function ofBytes(bytes: number): string {
  const empty = withMore('"a":""').length - '{"events":[]}'.length;
  return withMore(`"a":"${'x'.repeat(bytes - empty)}"`);
}

test.each([
  ['one event', `{"events":[${MINIMAL}]}`, 1],
  ['several, with white space', ` {\t"events" :\r\n[ ${MINIMAL} ,\n ${MINIMAL} ] } \n`, 2],
  [
    'every property that has a column',
    withMore('"eventId":"x","userName":"ada","sessionId":null,"workbookName":""'),
    1,
  ],
  [
    'texts in other scripts, with escapes of one character',
    withMore('"userName":"Ærøskøbing 日本 😀","oldValue":"\\"\\\\\\n"'),
    1,
  ],
  ['numbers and words', withMore('"a":0,"b":-1.50,"c":12345678901234567890,"d":true,"e":false,"f":null'), 1],
  ['nested values', withMore('"a":{},"b":[],"c":{"d":[1,{"e":"f"},[ ]]}'), 1],
  ['the last second that is certainly not too late', at('2026-11-22T09:29:59.999Z'), 1],
  ['a time without decimals', at('2026-11-21T09:30:00Z'), 1],
  ['a time as Python has it', at('2026-11-21T09:30:00.123456+00:00'), 1],
  ['a time as .NET has it', at('2026-11-21T09:30:00.1234567Z'), 1],
  ['a time with an offset', at('2026-11-20T09:30:00+05:45'), 1],
  ['the last second that is certainly not too late, in the west', at('2026-11-21T21:29:58.999-12:00'), 1],
  ['the last second that is certainly not too late, in the east', at('2026-11-22T23:29:58.999+14:00'), 1],
  ['texts whose characters are escaped', withMore('"userName":"\\u00c6r\\u00F8","a":["\\ud83d\\ude00\\uFFFF"]'), 1],
  ['numbers with exponents', withMore('"a":[1e9,-1.5E-7,0e0,2E+99,1e-99]'), 1],
  ['__proto__ that is spelled, as a text', withMore('"a":"\\u005f_proto__"'), 1],
  [
    'as many events as there may be',
    `{"events":[${Array(LIMITS.maxEvents).fill(MINIMAL).join(',')}]}`,
    LIMITS.maxEvents,
  ],
  ['an event as large as it may be', ofBytes(MAX_EVENT_BYTES), 1],
  ['a number of many digits', withMore(`"a":${'9'.repeat(300)}`), 1],
  ['what an add-in sends', JSON.stringify({ events: makeEvents(3) }), 3],
])('counts %s', (_name, body, events) => {
  expect(count(body)).toBe(events);
  expect(events).toBe(acceptedInFull(body));
});

test.each([
  ['nothing', ''],
  ['no events', '{"events":[]}'],
  ['a byte order mark', `\uFEFF{"events":[${MINIMAL}]}`],
  ['something beside the events', `{"events":[${MINIMAL}],"tenant":"other"}`],
  ['something after the end', `{"events":[${MINIMAL}]}]`],
  ['a body that is cut short', `{"events":[${MINIMAL}`],
  ['a string that is cut short', '{"events":[{"eventType":"'],
  ['bytes that are not UTF-8', Buffer.from(withMore('"a":"\xff"'), 'latin1')],
  ['an event that is no object', `{"events":[${MINIMAL},7]}`],
  ['a comma too many', `{"events":[${MINIMAL},]}`],
  ['an event without a type', '{"events":[{"timestamp":"2026-11-21T09:30:00.000Z"}]}'],
  ['an empty type', withMore('"eventType":""')],
  ['a long type', withMore(`"eventType":"${'x'.repeat(65)}"`)],
  ['a type that is no text', withMore('"eventType":7')],
  ['a type whose name is spelled', withMore('"event\\u0054ype":7')],
  ['an event without a time', '{"events":[{"eventType":"a"}]}'],
  ['a time that is no text', withMore('"timestamp":7')],
  ...TEXT_FIELDS.map((name): [string, string] => [`${name} that is no text`, withMore(`"${name}":7`)]),
  ['a tenant', withMore('"tenant":"other"')],
  ['__proto__', withMore('"a":{"__proto__":{}}')],
  ['__proto__ that is spelled', withMore('"a":{"\\u005f_proto__":{}}')],
  ['U+0000', withMore('"a":"\\u0000"')],
  ['half a surrogate pair', withMore('"a":"\\ud800"')],
  ['the first half twice', withMore('"a":"\\ud800\\ud800"')],
  ['the first half before an escaped character', withMore('"a":"\\ud83d\\ue000"')],
  ['the second half alone', withMore('"a":"\\udc00"')],
  ['the first half before a character', withMore('"a":"\\ud83dx"')],
  ['an escape that is cut short', withMore('"a":"\\u00e"')],
  ['an escape with something else than hex digits', withMore('"a":"\\u00eg"')],
  ['a type with an escape', withMore('"eventType":"\\u0041"')],
  ['a control character', withMore('"a":"\n"')],
  ['an unknown escape', withMore('"a":"\\x"')],
  ['a number beyond a float', withMore('"a":1e400')],
  ['a number of very many digits', withMore(`"a":${'9'.repeat(310)}`)],
  ['a number with a leading zero', withMore('"a":01')],
  ['a point without decimals', withMore('"a":1.')],
  ['a minus alone', withMore('"a":-')],
  ['a word that is cut short', withMore('"a":nul')],
  ['an event that is a byte too large', ofBytes(MAX_EVENT_BYTES + 1)],
  ['a number with an exponent', withMore('"a":1e308')],
  ['a small number with an exponent', withMore('"a":[-1E-0307]')],
  ['many digits and an exponent', withMore(`"a":${'9'.repeat(299)}e99`)],
  ['an exponent without digits', withMore('"a":1e+')],
  ['numbers that are long when written out', withMore(`"a":[${Array(20).fill('1e99').join(',')}]`)],
  [
    'an event too many',
    `{"events":[${Array(LIMITS.maxEvents + 1)
      .fill(MINIMAL)
      .join(',')}]}`,
  ],
  ['arrays beyond the limit', withMore(`"a":${arrays(MAX_NESTING)}`)],
  ['objects beyond the limit', withMore(`"a":${objects(MAX_NESTING)}`)],
  ['a moment that may be too late', at('2026-11-22T09:30:00.000Z')],
  ['a moment too late', at('2026-11-22T09:30:00.001Z')],
  ['a point without decimals of a second', at('2026-11-21T09:30:00.Z')],
  ['ten decimals', at('2026-11-21T09:30:00.1234567890Z')],
  ['something else than decimals', at('2026-11-21T09:30:00,123Z')],
  ['a time that is cut short', at('2026-11-21T09:30Z')],
  ['the year 0', at('0000-11-21T09:30:00.000Z')],
  ['the 13th month', at('2025-13-21T09:30:00.000Z')],
  ['the month 0', at('2026-00-21T09:30:00.000Z')],
  ['the day 0', at('2026-11-00T09:30:00.000Z')],
  ['February the 29th of a year that has none', at('2026-02-29T09:30:00.000Z')],
  ['the 31st of a month that has none', at('2026-04-31T09:30:00.000Z')],
  ['the day 32', at('2026-01-32T09:30:00.000Z')],
  ['hour 24', at('2026-11-21T24:00:00.000Z')],
  ['minute 60', at('2026-11-20T09:60:00.000Z')],
  ['second 60', at('2026-11-20T09:30:60.000Z')],
  ['a moment that may be too late, in the west', at('2026-11-21T21:29:59.000-12:00')],
  ['a moment that may be too late, in the east', at('2026-11-22T23:29:59.000+14:00')],
  ['an offset of many hours', at('2026-11-20T09:30:00+15:00')],
  ['an offset of many minutes', at('2026-11-20T09:30:00+01:60')],
  ['an offset without a colon', at('2026-11-20T09:30:00.00+0100')],
  ['an offset without a sign', at('2026-11-20T09:30:00 01:00')],
  ['an early year with an offset', at('0099-11-20T09:30:00+01:00')],
  ['a day that does not exist, with an offset', at('2026-02-29T09:30:00+01:00')],
])('leaves %s to the parser', (_name, body) => {
  expect(count(body)).toBe(0);
});

test.each([arrays, objects])('counts events nested as deep as they may be', (nested) => {
  const deep = withMore(`"a":${nested(MAX_NESTING - 1)}`);
  expect(count(deep)).toBe(1);
  expect(acceptedInFull(deep)).toBe(1);
});

test('accepts the same control characters, white space and escapes as JSON.parse', () => {
  for (let byte = 0; byte < 128; byte += 1) {
    const character = String.fromCharCode(byte);
    for (const body of [
      withMore(`"a":"${character}"`),
      withMore(`"a":"\\${character}"`),
      `{"events":${character}[${MINIMAL}]}`,
    ])
      expect(count(body), JSON.stringify(body)).toBe(acceptedInFull(body) ?? 0);
  }
});

test('leaves an event or a body of too many values to the parser', () => {
  const roomy = { maxEvents: 100, maxEventBytes: 256 * 1024 };
  // The event, its two properties and the array are four values.
  expect(countPlainEvents(ofValues(1, 19_996), NOW, roomy)).toBe(2);
  expect(countPlainEvents(ofValues(1, 19_997), NOW, roomy)).toBe(0);
  // The body and the array of the events are two more.
  const full = Array<number>(49).fill(19_996);
  expect(countPlainEvents(ofValues(...full, 19_994), NOW, roomy)).toBe(50);
  expect(countPlainEvents(ofValues(...full, 19_995), NOW, roomy)).toBe(0);
});

test('never counts what parsing and validation would not accept', () => {
  const bodies = [
    withMore('"eventId":"0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11","userName":"ada","oldValue":"41","correlationId":null'),
    `{"events":[${MINIMAL},{"a":-10.25,"timestamp":"2026-11-22T09:29:59.999Z","b":{"c":[true,null,"\\n"]},"eventType":"é"}]}`,
    withMore(`"tenan":1,"__proto_":2,"a":[[${'['.repeat(MAX_NESTING - 4)}${']'.repeat(MAX_NESTING - 4)}],{"b":0}]`),
    withMore(`"a":${objects(MAX_NESTING - 2)},"timestamp":"2025-02-28T23:59:59.999Z"`),
    withMore('"timestamp":"2024-02-29T23:59:59.123456+00:00"'),
    withMore('"timestamp":"2026-11-22T14:29:58-05:00","a":"\\u00e9\\ud83d\\ude00","b":[1e99,-2.5E-12]'),
  ].map((body) => Buffer.from(body));
  const pieces = [
    ...'{ } [ ] " , : \\ 0 1 5 9 . - + e E u t n T Z _ \n \x01 é'.split(' '),
    ' ',
    '"tenant":"x"',
    '"eventType":""',
    '"userName":1',
    '\x1f',
    '\x0b',
    '\\v',
    '9'.repeat(310),
    'null',
    '1e9',
    '1e99',
    '+14:00',
    '-12:30',
    '\\u00e9',
    '\\u0000',
    '\\ud83d',
    '\\ude00',
    '1e308',
    '-1e-307',
    '1E+0308',
    '[1e308,1e308,1e308,1e308,1e308,1e308,1e308]',
    '__',
  ].map((piece) => Buffer.from(piece));
  let counted = 0;
  forSeeds((random) => {
    for (let turn = 0; turn < 500; turn += 1) {
      let body = random.pick(bodies);
      for (let changes = random.int(3); changes >= 0; changes -= 1) {
        const from = random.int(body.length);
        const piece = random.int(4) === 0 ? body.subarray(from, from + random.int(30)) : random.pick(pieces);
        const to = random.int(2) === 0 ? from : from + random.int(4);
        body = Buffer.concat([body.subarray(0, from), piece, body.subarray(to)]);
      }
      const events = countPlainEvents(body, NOW, LIMITS);
      if (events === 0) continue;
      counted += 1;
      if (acceptedInFull(body) !== events) throw new Error(`${events} events counted in ${body.toString()}`);
    }
  });
  // Many changes do no harm. If none were counted, nothing would have been compared.
  expect(counted).toBeGreaterThan(1_000);
});

/** The number of events that parsing and validation accept; null when they object to anything. */
function acceptedInFull(sent: string | Buffer): number | null {
  try {
    const { bytes, parsed, text } = readBody(Buffer.from(sent));
    const events = governanceTracker.eventsOf(parsed) ?? [];
    const { rejected, warnings } = validateEvents(events, text, {
      adapter: governanceTracker,
      tenant: 'default',
      receivedAt: NOW,
      maxEventBytes: MAX_EVENT_BYTES,
      body: bytes,
      locate: () => governanceTracker.locate(bytes),
    });
    return rejected.length + warnings.length === 0 && Object.keys(parsed as object).length === 1 ? events.length : null;
  } catch {
    return null;
  }
}
