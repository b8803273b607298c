import type { Redis } from 'ioredis';
import { ORPHAN_FUNCTIONS } from './orphaned-entries.ts';
import { WRITERS_GROUP } from './stream-keys.ts';

/** Fields of the hash beside a stream. The writer's settle script counts them. */
const FIELDS = ['base', 'entries', 'events', 'stored', 'duplicate', 'dead'] as const;

/** What became of everything that was ever added to one stream. */
export interface Conservation {
  /** Entries that were ever added, as Redis counts them. */
  readonly added: number;
  /** Entries that writers have deleted after their COMMIT, since counting began. */
  readonly settled: number;
  /** Entries in the stream that a writer holds or will read. */
  readonly waiting: number;
  /**
   * Entries in the stream that were delivered and that no writer holds: none will read them until a writer takes them
   * back. At most a thousand are counted where Redis does not know how many entries are not delivered yet.
   */
  readonly orphaned: number;
  /** Events that ingest acknowledged with the settled entries; an unreadable entry counts as one. */
  readonly events: number;
  /** How many of these events were new, were already stored, or became dead letters. */
  readonly stored: number;
  readonly duplicate: number;
  readonly dead: number;
  /**
   * Added − entries that left before counting began − settled − waiting − orphaned. Positive: entries left the stream
   * without being stored. Negative: the stream was deleted and recreated.
   */
  readonly driftEntries: number;
  /** Events − stored − duplicate − dead. Not 0 when an entry lacked an event or a writer miscounted. */
  readonly driftEvents: number;
}

/** Reads both keys atomically: no entry can be counted but not yet deleted. It does not read the entries. */
const READ = `#!lua flags=no-writes
${ORPHAN_FUNCTIONS}
local counted = redis.call('HMGET', KEYS[2], ${FIELDS.map((field) => `'${field}'`).join(', ')})
if redis.call('EXISTS', KEYS[1]) == 0 then return {-1, 0, counted, 0} end
local added = fieldsOf(redis.call('XINFO', 'STREAM', KEYS[1]))['entries-added'] or 0
local length = redis.call('XLEN', KEYS[1])
-- Settled entries are deleted in the same step, so none of the stream's entries is settled.
local orphaned = 0
local group = groupOf(KEYS[1], '${WRITERS_GROUP}')
if group and group['lag'] then
  orphaned = math.max(0, length - group['pending'] - group['lag'])
elseif group then
  orphaned = #orphans(KEYS[1], '${WRITERS_GROUP}', group['last-delivered-id'], '-', 1000)
end
return {added, length, counted, orphaned}`;

/** Key of the hash that counts a stream's settled entries; in the stream's slot of a Redis Cluster. */
export function settledKey(streamKey: string): string {
  return `${streamKey}:settled`;
}

/**
 * Reads whether everything that was added to a stream is accounted for. Drift is 0 where there is nothing to compare:
 * before a writer has settled the stream's first entry, and while the stream does not exist.
 */
export async function readConservation(redis: Redis, streamKey: string): Promise<Conservation> {
  const reply = await redis.eval(READ, 2, streamKey, settledKey(streamKey));
  const [found, length, counted, orphaned] = reply as [number, number, (string | null)[], number];
  const [base = 0, settled = 0, events = 0, stored = 0, duplicate = 0, dead = 0] = counted.map(Number);
  const added = Math.max(found, 0);
  const comparable = found >= 0 && counted[0] !== null;
  return {
    added,
    settled,
    waiting: length - orphaned,
    orphaned,
    events,
    stored,
    duplicate,
    dead,
    driftEntries: comparable ? added - base - settled - length : 0,
    driftEvents: events - stored - duplicate - dead,
  };
}
