import type { Database } from '../database.ts';
import { listSegments, type Segment } from '../layout/segments.ts';
import { copyOut } from './copy-stream.ts';
import { hashId, IdFilter, type IdHash } from './id-filter.ts';

/** Room in a filter for ids of a segment whose number of rows is unknown, because it is not sealed yet. */
const UNSEALED_ROWS = 1_000_000;

/** Wait before ids are read again that could not be read, in milliseconds. */
const RETRY_MS = 10_000;

/** An id, and the segments that may have it. */
export interface Suspect extends Range {
  readonly id: string;
}

/** Numbers of segments, inclusive and exclusive. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** The ids of segments that get no more events. */
interface Covered extends Range {
  readonly filter: IdFilter;
}

/**
 * What a writer knows of the ids in older segments: a filter for each, so that a new id need not be looked up in all of them.
 * It is a cache only. A segment counts as covered once its ids were read after it was closed, and closed segments get no
 * inserts; until then every id is looked up in it. A deleted event only stays a suspect.
 *
 *     hot rotates ─► its number is noticed ─► uncovered: all ids are suspects ─► its ids are read ─► covered
 */
export class KnownIds {
  readonly #database: Database;
  #hot = 0;
  /** The ranges of numbers of all segments that are older than the hot one. */
  #older: readonly Range[] = [];
  #covered: readonly Covered[] = [];
  #loading: Promise<void> | null = null;
  /** Ids that this writer stored in the hot segment. */
  #own = new IdFilter(UNSEALED_ROWS);
  #ownIds = 0;
  /** By `performance.now()`. */
  #failedAt = -RETRY_MS;
  readonly #hash: IdHash = { first: 0, step: 0 };
  readonly #onFailure: (error: unknown) => void;

  /** @param onFailure called when ids could not be read; the next refresh reads them */
  constructor(database: Database, onFailure: (error: unknown) => void = () => {}) {
    this.#database = database;
    this.#onFailure = onFailure;
  }

  /** Number of the hot segment when it was last looked up; 0 before. */
  get hot(): number {
    return this.#hot;
  }

  /** Bytes of all filters. */
  get bytes(): number {
    return this.#covered.reduce((sum, { filter }) => sum + filter.bytes, 0);
  }

  /** Number of segments that are older than the hot one and not covered. */
  get uncovered(): number {
    return this.#uncovered().length;
  }

  /** Looks up which segment is hot, and begins to read the ids of those that are not covered. */
  async refresh(): Promise<void> {
    const segments = await listSegments(this.#database.db);
    const hot = segments.find(({ state }) => state === 'hot')?.from ?? 0;
    if (hot !== this.#hot) {
      this.#own = new IdFilter(UNSEALED_ROWS);
      this.#ownIds = 0;
    }
    this.#hot = hot;
    const complete = segments.filter(({ to }) => to <= this.#hot);
    this.#older = [...new Map(complete.map(({ from, to }) => [from, { from, to }])).values()];
    // What retention took away is not there any more, and needs no filter.
    this.#covered = this.#covered.filter((each) => this.#older.some((range) => isIn(each, range)));
    this.#loading ??= this.#load(complete)
      .catch((error: unknown) => {
        this.#failedAt = performance.now();
        this.#onFailure(error);
      })
      .finally(() => {
        this.#loading = null;
      });
  }

  /** Refreshes when nothing is known yet, and when ids could not be read a while ago. */
  async refreshIfNeeded(): Promise<void> {
    const mayRead = this.#loading === null && performance.now() - this.#failedAt > RETRY_MS;
    if (this.#hot === 0 || (mayRead && this.uncovered > 0)) await this.refresh();
  }

  /** Notes ids that this writer stored in the hot segment. */
  noteStored(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += 16) this.#own.add(hashId(bytes, at, this.#hash));
    this.#ownIds += bytes.length / 16;
  }

  /** Whether this writer has most likely stored one of these ids in the hot segment. */
  hasStored(bytes: Buffer): boolean {
    // Beyond its room too many new ids look stored.
    if (this.#ownIds > UNSEALED_ROWS) return false;
    for (let at = 0; at < bytes.length; at += 16) if (this.#own.has(hashId(bytes, at, this.#hash))) return true;
    return false;
  }

  /** Waits until every segment is covered that was complete when it was last refreshed, or reading failed. */
  async loaded(): Promise<void> {
    await this.#loading;
  }

  /**
   * The segments in which these ids must be looked up.
   *
   * @param ids texts of the ids
   * @param bytes 16 bytes of each
   */
  suspects(ids: readonly string[], bytes: Buffer): Suspect[] {
    const suspects: Suspect[] = [];
    const covered = this.#covered;
    for (const [index, id] of ids.entries()) {
      const hash = hashId(bytes, 16 * index, this.#hash);
      for (const { from, to, filter } of covered) if (filter.has(hash)) suspects.push({ id, from, to });
    }
    for (const { from, to } of this.#uncovered()) for (const id of ids) suspects.push({ id, from, to });
    return suspects;
  }

  #uncovered(): readonly Range[] {
    return this.#older.filter((range) => {
      const parts = this.#covered.filter((each) => isIn(each, range));
      // The parts of a merged segment are covered as long as none of them is missing.
      return parts.reduce((sum, { from, to }) => sum + to - from, 0) < range.to - range.from;
    });
  }

  /** Reads the ids of complete segments, the newest first: most resends are of recent events. */
  async #load(complete: readonly Segment[]): Promise<void> {
    const rows = new Map<number, number>();
    for (const { from, rows: found } of complete) rows.set(from, (rows.get(from) ?? 0) + (found ?? UNSEALED_ROWS));
    for (const { from, to } of this.#older.toSorted((a, b) => b.from - a.from)) {
      if (this.#covered.some((each) => each.from === from && each.to === to)) continue;
      const filter = await readIds(this.#database, { from, to, rows: rows.get(from)! });
      // A merge has put several into one.
      const others = this.#covered.filter((each) => !isIn(each, { from, to }));
      this.#covered = [...others, { from, to, filter }];
    }
  }
}

function isIn(part: Range, whole: Range): boolean {
  return whole.from <= part.from && part.to <= whole.to;
}

/** Length of the length of an id in COPY's binary format, after the number of columns. */
const ID_AT = 6;

async function readIds(
  database: Database,
  { from, to, rows }: { from: number; to: number; rows: number },
): Promise<IdFilter> {
  const filter = new IdFilter(rows);
  const hash: IdHash = { first: 0, step: 0 };
  await database.withClient((client) =>
    copyOut(
      client,
      `COPY (SELECT event_id FROM events WHERE segment >= ${from} AND segment < ${to}) TO STDOUT (FORMAT binary)`,
      (chunk) => {
        // The first chunk has the header before its row, the last one is the end of all rows.
        const at = chunk.length - 16;
        if (at >= ID_AT) filter.add(hashId(chunk, at, hash));
      },
    ),
  );
  return filter;
}
