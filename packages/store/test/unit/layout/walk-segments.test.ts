import { expect, it } from 'vitest';
import { forSeeds, type Random } from '@sluice/testkit/random';
import type { ReadableSegment } from '../../../src/layout/readable-segments.ts';
import { inGroups, oldestFirst, walkSegments, type WalkOrder } from '../../../src/layout/walk-segments.ts';

interface Row {
  readonly time: string;
  readonly id: string;
  readonly segment: number;
}

const timeOf = (number: number): string => `2026-11-29T00:00:${String(number).padStart(2, '0')}.000000Z`;

/** Segments with overlapping times, some with unknown ones, and their rows. */
function randomSegments(random: Random): { segments: ReadableSegment[]; rows: Row[] } {
  const rows: Row[] = [];
  const segments = Array.from({ length: 1 + random.int(40) }, (_, at): ReadableSegment => {
    const from = random.int(40);
    const to = from + 1 + random.int(10);
    const isKnown = random.int(8) > 0;
    for (let row = random.int(12); row > 0; row -= 1)
      rows.push({
        time: timeOf(from + random.int(to - from)),
        id: String(rows.length).padStart(5, '0'),
        segment: at + 1,
      });
    return {
      from: at + 1,
      to: at + 2,
      weekly: false,
      hashed: isKnown,
      storedFrom: null,
      storedTo: null,
      occurredFrom: isKnown ? timeOf(from) : null,
      occurredTo: isKnown ? timeOf(to) : null,
      txTo: null,
    };
  });
  return { segments, rows };
}

const orderOf = (descending: boolean): WalkOrder<Row> => ({
  descending,
  keyOf: ({ time, id }) => [time, id],
  boundOf: ({ occurredFrom, occurredTo }) => (descending ? occurredTo : occurredFrom),
});

const sorted = (rows: readonly Row[], descending: boolean): Row[] => {
  const ascending = rows.toSorted((a, b) => (`${a.time}${a.id}` < `${b.time}${b.id}` ? -1 : 1));
  return descending ? ascending.toReversed() : ascending;
};

it('page by page, every row comes once and in order, however early a read is cut', async () => {
  const seeds: Promise<void>[] = [];
  forSeeds((random) => seeds.push(expectAllPages(random)), 300);
  await Promise.all(seeds);
});

/** Reads all pages of a random list, and compares each with the plain sort. */
async function expectAllPages(random: Random): Promise<void> {
  const { segments, rows } = randomSegments(random);
  const descending = random.int(2) === 0;
  const limit = 1 + random.int(15);
  const expected = sorted(rows, descending);
  const found: Row[] = [];
  for (let isCut = true; isCut;) {
    const left = expected.slice(found.length);
    const page = await walkSegments(segments, { limit, ...orderOf(descending) }, async (some, until) => {
      const here = left.filter(({ segment }) => some.some(({ from }) => from === segment));
      const wanted = until === undefined ? here : here.filter((row) => left.indexOf(row) <= left.indexOf(until));
      // As large payloads cut a read: at least one row comes.
      const most = Math.min(limit, random.int(3) === 0 ? 1 + random.int(3) : limit);
      return { rows: wanted.slice(0, most), isCut: wanted.length > most || most === limit };
    });
    expect(page.rows).toEqual(left.slice(0, page.rows.length));
    if (page.isCut) expect(page.rows.length).toBeGreaterThan(0);
    found.push(...page.rows);
    isCut = page.isCut && found.length < expected.length;
  }
  expect(found).toEqual(expected);
}

it('a full page of the newest asks nothing of older segments', async () => {
  const segments = Array.from({ length: 100 }, (_, at): ReadableSegment => {
    const time = `2026-11-29T${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`;
    const bounds = { occurredFrom: `${time}:00.000000Z`, occurredTo: `${time}:59.000000Z` };
    return {
      from: at + 1,
      to: at + 2,
      weekly: false,
      hashed: true,
      storedFrom: null,
      storedTo: null,
      ...bounds,
      txTo: null,
    };
  });
  const asked: number[] = [];
  await walkSegments(segments, { limit: 2, ...orderOf(true) }, async (some) => {
    asked.push(...some.map(({ from }) => from));
    const time = some[0]!.occurredFrom!;
    return { rows: ['2', '1'].map((id) => ({ time, id, segment: some[0]!.from })), isCut: true };
  });
  expect(asked).toEqual([100, 99]);
});

it('no statement plans more than 16 segments, besides those whose bounds are unknown', () => {
  forSeeds((random) => {
    const { segments } = randomSegments(random);
    const groups = inGroups(segments, orderOf(true));
    expect(groups.flat().toSorted((a, b) => a.from - b.from)).toEqual(segments);
    for (const group of groups) expect(group.filter(({ hashed }) => hashed).length).toBeLessThanOrEqual(16);
    expect(oldestFirst(segments).flat()).toEqual(segments);
    for (const group of oldestFirst(segments)) expect(group.length).toBeLessThanOrEqual(16);
  });
});
