import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ApiErrorCode } from '@sluice/errors/api-errors';
import { expectError } from '@sluice/testkit/expect-error';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';
import { answeredPromptly } from './fixtures/answered-promptly.ts';
import { peakMemory, resetPeakMemory } from './fixtures/process-usage.ts';

let ingest: TestIngest;

beforeAll(async () => {
  ingest = await startIngest();
});
afterAll(() => ingest.stop());
beforeEach(() => ingest.clear());
// Whatever was sent, the daemon still works.
afterEach(async () => {
  expect((await answeredPromptly(() => get(`${ingest.url}/ready`))).status).toBe(200);
});

const send = (body: string | Buffer) => answeredPromptly(() => ingest.send(body));

/** A body with one event that has this JSON text among its properties. */
const withProperty = (text: string): string => `{"events":[${JSON.stringify(makeEvent()).slice(0, -1)},${text}}]}`;
/** A body whose events are these JSON texts. */
const batchOf = (events: readonly string[]): string => `{"events":[${events.join(',')}]}`;
const arrays = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const objects = (depth: number): string => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);

/** Fails unless the body gets this error and nothing of it is queued. */
async function expectRefusal(body: string | Buffer, code: ApiErrorCode, message?: RegExp): Promise<void> {
  expectError(await send(body), code, message);
  expect(await ingest.entries()).toEqual([]);
}

/** Fails unless only this event of the batch is rejected, and neither of the others' neighbours travels with them. */
async function expectRejectedAlone(bad: string, code: string, field: string | undefined): Promise<void> {
  const good = [makeEvent({ n: 1 }), makeEvent({ n: 2 })] as const;
  const { status, body } = await send(batchOf([JSON.stringify(good[0]), bad, JSON.stringify(good[1])]));
  expect(status, code).toBe(202);
  expect(body).toMatchObject({ accepted: 2, rejected: 1, errors: [{ index: 1, code }] });
  expect(body.errors[0].field).toBe(field);
  expect((await ingest.queued()).map(({ index, event }) => [index, event])).toEqual([
    [0, good[0]],
    [2, good[1]],
  ]);
  expect((await ingest.entries()).every((entry) => !entry.body.includes(bad))).toBe(true);
  await ingest.clear();
  const alone = await send(batchOf([bad]));
  expectError(alone, 'no_valid_events');
  expect(alone.body).toMatchObject({ accepted: 0, rejected: 1, errors: [{ index: 0, code }] });
  expect(await ingest.entries()).toEqual([]);
}

/** An event with this JSON text among its properties. */
const eventWith = (text: string): string => `${JSON.stringify(makeEvent()).slice(0, -1)},${text}}`;

describe('a property called __proto__', () => {
  const escaped = '\\u005f\\u005fproto\\u005F_';
  it.each([
    ['of an event', '"__proto__":{"tenant":"other"}', '__proto__'],
    ['of an event, with a scalar', '"__proto__":1', '__proto__'],
    ['deep in an event', '"a":{"b":[{"c":{"__proto__":{"x":1}}}]}', 'a'],
    ['written with escapes', `"${escaped}":{}`, '__proto__'],
    ['with white space before its colon', '"__proto__" \n\t :{}', '__proto__'],
  ])('%s costs that event alone', async (_where, text, field) =>
    expectRejectedAlone(eventWith(text), 'forbidden_property', field),
  );

  it.each([
    ['of the body', `{"__proto__":{"events":[]},"events":[${JSON.stringify(makeEvent())}]}`],
    ['beside the events', `{"events":[${JSON.stringify(makeEvent())}],"meta":{"__proto__":{}}}`],
    ['deep beside the events', `{"meta":[{"a":{"${escaped}":1}}],"events":[${JSON.stringify(makeEvent())}]}`],
  ])('%s is refused', async (_where, body) => expectRefusal(body, 'forbidden_property', /__proto__/));

  it('is refused by /collect, in a body and in a query', async () => {
    const refused = [
      await ingest.collect('{"siteId":"docs","a":{"__proto__":1}}'),
      await get(`${ingest.url}/collect?siteId=docs&__proto__=1`),
    ];
    for (const answer of refused) expectError(answer, 'no_valid_events', /forbidden_property: .*__proto__/);
    expect(await ingest.entries()).toEqual([]);
  });

  it('is only text in a value, and "constructor" and "prototype" are names like any other', async () => {
    const { body } = await send(withProperty('"a":"\\"__proto__\\":1","constructor":{"prototype":{"x":1}}'));
    expect(body).toMatchObject({ accepted: 1 });
  });
});

describe('nesting', () => {
  it('of 32 levels is accepted, wherever it is', async () => {
    // The event itself is the first level.
    expect((await send(withProperty(`"a":${arrays(31)}`))).status).toBe(202);
    expect((await send(withProperty(`"a":${objects(31)}`))).status).toBe(202);
    expect((await send(`{"events":[${JSON.stringify(makeEvent())}],"meta":${arrays(32)}}`)).status).toBe(202);
  });

  it.each([33, 100_000, 400_000])('of %i levels costs the event that has it alone, wherever it is', async (depth) => {
    await expectRejectedAlone(eventWith(`"a":${arrays(depth - 1)}`), 'nesting_too_deep', 'a');
    await expectRejectedAlone(arrays(depth), 'nesting_too_deep', undefined);
    if (depth > 200_000) return;
    await expectRejectedAlone(eventWith(`"b":[],"a":${objects(depth - 1)}`), 'nesting_too_deep', 'a');
    expectError(await ingest.collect(`{"a":${arrays(depth)}}`), 'no_valid_events', /nesting_too_deep: .*32 deep/);
  });

  it.each([33, 100_000])('of %i levels beside the events is refused', async (depth) => {
    const event = JSON.stringify(makeEvent());
    await expectRefusal(`{"events":[${event}],"meta":${arrays(depth)}}`, 'nesting_too_deep', /32 deep/);
    await expectRefusal(`{"meta":${objects(depth)},"events":[${event}]}`, 'nesting_too_deep');
  });

  it('of millions of levels does not cost memory for each of them', async () => {
    const before = resetPeakMemory(ingest.daemon.pid);
    await expectRefusal('['.repeat(16_000_000), 'too_many_values');
    await expectRefusal(`{"events":[${objects(2_500_000)}]}`, 'too_many_values');
    await expectRefusal(withProperty(`"s":"\\"[{","a":${arrays(8_000_000)}`), 'too_many_values');
    // Just as many as there may be.
    await expectRefusal(`{"events":[${arrays(999_000)}]}`, 'no_valid_events', /No event/);
    expect(peakMemory(ingest.daemon.pid) - before).toBeLessThan(300 * 1024 * 1024);
  });

  it('is counted neither for brackets inside of text, nor for many of them side by side', async () => {
    const text = JSON.stringify('[{"\\'.repeat(40_000));
    const many = JSON.stringify(Array.from({ length: 20_000 }, () => [{}]));
    const events = Array.from({ length: 8 }, () => makeEvent()).map((event) => JSON.stringify(event).slice(0, -1));
    const body = batchOf(events.map((event) => `${event},"a":${text},"b":${many}}`));
    expect(body.length).toBeGreaterThan(1024 * 1024);
    const answer = await send(body);
    expect(answer.body).toMatchObject({ rejected: 8 });
    expect(answer.body.errors[0].code).toBe('event_too_large');
  });
});

describe('characters', () => {
  it('that are not UTF-8 are refused, whatever they would mean', async () => {
    const [head = '', tail = ''] = withProperty('"a":"#"').split('#');
    for (const bytes of [[0xff], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]]) {
      await expectRefusal(
        Buffer.concat([Buffer.from(head), Buffer.from(bytes), Buffer.from(tail)]),
        'invalid_encoding',
      );
    }
    await expectRefusal(Buffer.from(withProperty('"a":1'), 'utf16le'), 'malformed_json');
  });

  it('U+0000 and lone surrogates are accepted, with a warning for the event that has them', async () => {
    const spellings = [
      '"a":"x\\u0000y"',
      '"a":["\\ud800"]',
      '"a":{"\\uDC00":1}',
      '"a":"\\ud83d\\ude00"',
      '"a":"\\\\u0000"',
    ];
    const events = spellings.map((text) => `${JSON.stringify(makeEvent()).slice(0, -1)},${text}}`);
    const { status, body } = await send(batchOf(events));
    expect(status).toBe(202);
    expect(body).toMatchObject({ accepted: 5, rejected: 0 });
    expect(body.warnings).toEqual(
      [0, 1, 2].map((index) => ({ index, code: 'characters_replaced', message: expect.stringMatching(/U\+FFFD/) })),
    );
  });

  it('a raw U+0000 or line break in a text is not JSON', async () => {
    await expectRefusal(withProperty('"a":"\0"'), 'malformed_json');
    await expectRefusal(withProperty('"a":"\n"'), 'malformed_json');
  });

  it('a byte order mark is removed, so that the writer can read the entry', async () => {
    const text = withProperty('"a":1');
    expect((await send(`\uFEFF${text}`)).status).toBe(202);
    expect((await ingest.collect('\uFEFF{"siteId":"docs"}')).status).toBe(202);
    expect((await ingest.entries()).map(({ body }) => body)).toEqual([text, '{"siteId":"docs"}']);
    await ingest.clear();
    await expectRefusal(`\uFEFF\uFEFF${text}`, 'malformed_json');
  });
});

describe('numbers', () => {
  it('1e400 and -1e400 condemn the event that has them, and no other', async () => {
    const event = JSON.stringify(makeEvent());
    const numbers = ['1e400', '-1e400', '{"b":[1,1e400]}', '1e308', '-0', '1e-400'];
    const events = numbers.map((number) => `${event.slice(0, -1)},"a":${number}}`);
    const { body } = await send(batchOf([event, ...events]));
    expect(body).toMatchObject({ accepted: 4, rejected: 3 });
    expect(body.errors.map((each: { index: number; code: string }) => [each.index, each.code])).toEqual(
      [1, 2, 3].map((index) => [index, 'invalid_number']),
    );
  });

  it('of 20 digits keep them in the stream', async () => {
    expect((await send(withProperty('"a":12345678901234567890'))).status).toBe(202);
    expect((await ingest.entries())[0]?.body).toContain('"a":12345678901234567890');
  });
});

describe('a body', () => {
  it.each([
    ['empty', '', 'malformed_json'],
    ['of white space', ' \n\t', 'malformed_json'],
    ['cut short', '{"events":[', 'malformed_json'],
    ['with a comma too many', '{"events":[1,]}', 'malformed_json'],
    ['followed by something else', '{"events":[]} x', 'malformed_json'],
    ['of another format', '<events/>', 'malformed_json'],
    ['with single quotes', "{'events':[]}", 'malformed_json'],
    ['that is an array', '[{"events":[]}]', 'invalid_body'],
    ['that is text', '"events"', 'invalid_body'],
    ['that is null', 'null', 'invalid_body'],
    ['that is a number', '1e400', 'invalid_body'],
    ['without events', '{}', 'invalid_body'],
    ['with no event', '{"events":[]}', 'invalid_body'],
    ['whose events are an object', '{"events":{"0":{}}}', 'invalid_body'],
    ['whose events are text', '{"events":"[]"}', 'invalid_body'],
    ['whose events are null', '{"events":null}', 'invalid_body'],
  ] as const)('%s is refused', async (_what, body, code) => expectRefusal(body, code));

  it('with a key given twice counts by the last one, also when it has to be cut', async () => {
    const [first, last] = [makeEvent({ n: 1 }), makeEvent({ n: 2 })];
    const twice = (padding: string): string =>
      `{"events":[${JSON.stringify(first)}],"x":"${padding}","events":[${JSON.stringify(last)}]}`;
    expect((await send(twice(''))).body).toMatchObject({ accepted: 1 });
    expect((await send(twice('x'.repeat(1024 * 1024)))).body).toMatchObject({ accepted: 1 });
    expect((await ingest.queued()).map(({ event }) => event)).toEqual([last, last]);
    expectError(await send(`{"events":[${JSON.stringify(first)}],"events":[]}`), 'invalid_body');
  });

  it('with a key of 200 KB is accepted', async () => {
    expect((await send(withProperty(`"${'k'.repeat(200_000)}":1`))).status).toBe(202);
  });

  it('with 19,990 keys in one event is accepted; with ten more and the nine of the event it has too many', async () => {
    const keys = Array.from({ length: 20_000 }, (_, at) => `"k${at}":1`);
    expect((await send(withProperty(keys.slice(10).join(',')))).status).toBe(202);
    expectError(await send(withProperty(keys.join(','))), 'no_valid_events');
  });
});
