import { expect, it } from 'vitest';
import { parseTimestamp } from '@sluice/events/timestamp';
import { copyTemplate, requestTemplate, withFreshIds } from '../../src/load/batch-template.ts';

/** Ids of the events in a request as it goes over the wire. */
function idsOf(request: Buffer): string[] {
  const [head = '', body = ''] = request.toString().split('\r\n\r\n');
  expect(Number(/Content-Length: (\d+)/.exec(head)?.[1])).toBe(Buffer.byteLength(body));
  return (JSON.parse(body) as { events: { eventId: string }[] }).events.map(({ eventId }) => eventId);
}

it('is a whole request', () => {
  const { bytes } = requestTemplate('http://127.0.0.1:8080/api/events', 3, 0, 'utc');
  expect(bytes.toString()).toMatch(/^POST \/api\/events HTTP\/1\.1\r\nHost: 127\.0\.0\.1:8080\r\n/);
  expect(idsOf(bytes)).toHaveLength(3);
});

it('gets ids that are valid and new at each use', () => {
  const template = requestTemplate('http://127.0.0.1:8080/api/events', 500, 0, 'utc');
  const ids = [0, 500, 1_000].flatMap((from) => idsOf(withFreshIds(template, from)));
  expect(new Set(ids).size).toBe(1_500);
  for (const id of ids) expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
});

it('spreads ids, as clients do', () => {
  const ids = idsOf(withFreshIds(requestTemplate('http://127.0.0.1:8080/', 1_000, 0, 'utc'), 0));
  expect(new Set(ids.map((id) => id[0])).size).toBe(16);
});

it('has rows for COPY, a column for each name, with new ids too', () => {
  const rows = withFreshIds(copyTemplate(2, 0), 7).toString().trimEnd().split('\n');
  expect(rows).toHaveLength(2);
  for (const row of rows) {
    const columns = row.split('\t');
    expect(columns).toHaveLength(11);
    expect(columns[0]).toBe('default');
    expect(JSON.parse(columns[10]!)).toHaveProperty('cellAddress');
  }
  // 7 and 8 times the multiplier, in hex.
  expect(rows.map((row) => row.split('\t')[1]!.slice(0, 8))).toEqual(['538453d7', 'f1bbcd88']);
});

const shown = (times: 'utc' | 'offset' | 'spaced') => {
  const body = requestTemplate('http://127.0.0.1:8080/', 1, 0, times).bytes.toString().split('\r\n\r\n')[1]!;
  const [event] = (JSON.parse(body) as { events: { timestamp: string }[] }).events;
  expect(parseTimestamp(event!.timestamp)).not.toBeNull();
  return event!.timestamp.replaceAll(/\d/g, '0');
};

it('writes times in the way that is asked for, each of them valid', () => {
  expect(shown('utc')).toBe('0000-00-00T00:00:00.000Z');
  expect(shown('offset')).toBe('0000-00-00T00:00:00.000-00:00');
  expect(shown('spaced')).toBe('0000-00-00 00:00:00.000Z');
});
