import type { Redis } from 'ioredis';
import type { DecodedEntry } from '@sluice/store/write/decode-entry';
import type { Written } from '@sluice/store/write/write-events';
import { settledKey } from '@sluice/stream/conservation';
import { requireCommands, requireStream } from '@sluice/stream/required-commands';
import { WRITERS_GROUP } from '@sluice/stream/stream-keys';

/** Most ids in one call of the script. Lua's unpack and the time that other clients wait set the limit. */
const MAX_IDS = 1_000;

/**
 * Acknowledges, deletes and counts in one step. A script and not MULTI: over maxmemory Redis refuses everything inside
 * MULTI, but still runs this script, and deleting is what frees the memory.
 *
 * An entry can be acknowledged only once, so it is counted only once: after a lost reply nothing is left to acknowledge.
 * When another writer has settled some of the entries, the script deletes one by one to learn which. The events of those
 * were duplicates in this transaction, or in the other one.
 *
 * Arguments: group, events accepted, stored, duplicate, dead, events accepted of each entry, ids.
 */
const SETTLE = `#!lua flags=allow-oom
local stream, settled, deleted = KEYS[1], KEYS[2], 0
local events, stored, duplicate, dead = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if redis.call('XACK', stream, ARGV[1], unpack(ARGV, 7)) == #ARGV - 6 then
  deleted = redis.call('XDEL', stream, unpack(ARGV, 7))
else
  local at, elsewhere = 6, 0
  for held in string.gmatch(ARGV[6], '%d+') do
    at = at + 1
    if redis.call('XDEL', stream, ARGV[at]) == 1 then deleted = deleted + 1 else elsewhere = elsewhere + held end
  end
  events = events - elsewhere
  local taken = math.min(duplicate, elsewhere)
  duplicate, elsewhere = duplicate - taken, elsewhere - taken
  taken = math.min(stored, elsewhere)
  stored, dead = stored - taken, dead - (elsewhere - taken)
end
if deleted == 0 and events == 0 then return 0 end
if redis.call('HEXISTS', settled, 'base') == 0 then
  local info = redis.call('XINFO', 'STREAM', stream)
  for at = 1, #info, 2 do
    if info[at] == 'entries-added' then
      redis.call('HSET', settled, 'base', info[at + 1] - redis.call('XLEN', stream) - deleted)
    end
  end
end
redis.call('HINCRBY', settled, 'entries', deleted)
redis.call('HINCRBY', settled, 'events', events)
redis.call('HINCRBY', settled, 'stored', stored)
redis.call('HINCRBY', settled, 'duplicate', duplicate)
redis.call('HINCRBY', settled, 'dead', dead)
return deleted`;

/** The parts of an entry that settling needs. */
export type Settleable = Pick<DecodedEntry, 'key' | 'id' | 'accepted'>;

type Counts = Pick<Written, 'stored' | 'duplicates' | 'dead'>;

/**
 * Acknowledges entries whose events are committed, deletes them from the stream and counts them beside it
 * (`conservation`). Nothing else does that. Call it only after COMMIT. An entry that is not settled is delivered again;
 * unique ids make that harmless, and its events then count as duplicates.
 *
 * The counts of entries and of their events are exact. The counts of stored, duplicate and dead events are exact over all
 * streams, unless another writer has settled some of the entries meanwhile. For one stream they can be a guess: a
 * transaction of several streams does not say which events ended how. They always add up to the events.
 *
 * @param written what the transaction of just these entries did
 */
export async function settleBatch(redis: Redis, entries: readonly Settleable[], written: Counts): Promise<void> {
  const calls = [...Map.groupBy(entries, (entry) => entry.key)].flatMap(([key, group]) =>
    Array.from({ length: Math.ceil(group.length / MAX_IDS) }, (_, at) => ({
      key,
      part: group.slice(at * MAX_IDS, (at + 1) * MAX_IDS),
    })),
  );
  let left: Counts = written;
  for (const [at, { key, part }] of calls.entries()) {
    const held = part.map((entry) => entry.accepted);
    const events = held.reduce((sum, each) => sum + each, 0);
    // The last one gets the rest, whether or not it adds up: a wrong count must show.
    const { stored, duplicates, dead } = at === calls.length - 1 ? left : shareOf(left, events);
    left = { stored: left.stored - stored, duplicates: left.duplicates - duplicates, dead: left.dead - dead };
    const ids = part.map((entry) => entry.id);
    const counts = [events, stored, duplicates, dead, held.join(' ')];
    await redis.eval(SETTLE, 2, key, settledKey(key), WRITERS_GROUP, ...counts, ...ids);
  }
}

/**
 * Asks Redis whether it would settle entries, without settling one: no entry has the id 0-0, so the script has no effect.
 *
 * @throws what it refuses a settlement with
 */
export async function trySettling(redis: Redis, key: string): Promise<void> {
  await requireStream(redis, key);
  await requireCommands(redis, [
    ['XACK', key, WRITERS_GROUP, '0-0'],
    ['XDEL', key, '0-0'],
    ['XINFO', 'STREAM', key],
    ['XLEN', key],
    ['HEXISTS', settledKey(key), 'base'],
    ['HSET', settledKey(key), 'base', '0'],
    ['HINCRBY', settledKey(key), 'entries', '0'],
  ]);
  await redis.eval(SETTLE, 2, key, settledKey(key), WRITERS_GROUP, 0, 0, 0, 0, '0', '0-0');
}

/** The part of a transaction's counts that `events` events can account for. */
function shareOf({ stored, duplicates, dead }: Counts, events: number): Counts {
  const itsStored = Math.min(stored, events);
  const itsDead = Math.min(dead, events - itsStored);
  return { stored: itsStored, dead: itsDead, duplicates: Math.min(duplicates, events - itsStored - itsDead) };
}
