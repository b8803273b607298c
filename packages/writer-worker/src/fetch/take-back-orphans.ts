import type { Redis } from 'ioredis';
import { messageOf } from '@sluice/errors/message-of';
import type { RawEntry } from '@sluice/store/write/decode-entry';
import { ORPHAN_FUNCTIONS } from '@sluice/stream/orphaned-entries';
import { WRITERS_GROUP } from '@sluice/stream/stream-keys';
import { type StreamReply, toRawEntries } from './read-shard.ts';

/** Most entries that one call takes back; each is held in memory until it is stored. */
const MOST = 100;

/**
 * Claims orphaned entries for this consumer. One script finds and claims them, so that of several writers one gets each
 * entry, and no entry that another writer holds is taken.
 *
 * A group whose position is beyond the stream's last id (XGROUP SETID) would orphan every new entry; the script moves it
 * back to the last id.
 *
 * Arguments: group, consumer, most entries, where to start.
 */
const TAKE_BACK = `#!lua flags=allow-oom
${ORPHAN_FUNCTIONS}
local function isAfter(one, other)
  local ms, sequence = string.match(one, '(%d+)-(%d+)')
  local otherMs, otherSequence = string.match(other, '(%d+)-(%d+)')
  local function isMore(a, b) return #a > #b or (#a == #b and a > b) end
  return isMore(ms, otherMs) or (ms == otherMs and isMore(sequence, otherSequence))
end
local stream, name, consumer, most, from = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local info = fieldsOf(redis.call('XINFO', 'STREAM', stream))
local group = groupOf(stream, name)
if not group then return {'', {}, info['entries-added'], info['last-generated-id']} end
local last = group['last-delivered-id']
if isAfter(last, info['last-generated-id']) then
  last = info['last-generated-id']
  redis.call('XGROUP', 'SETID', stream, name, last, 'ENTRIESREAD', info['entries-added'])
end
local found, next = orphans(stream, name, last, from, most)
if #found > 0 then
  local claim = {'XCLAIM', stream, name, consumer, 0}
  for _, entry in ipairs(found) do claim[#claim + 1] = entry[1] end
  claim[#claim + 1] = 'FORCE'
  claim[#claim + 1] = 'JUSTID'
  redis.call(unpack(claim))
end
return {next, found, info['entries-added'], info['last-generated-id']}`;

/** What one call took back. */
export interface TakenBack {
  /** Pending at this consumer now, as if it had just read them. */
  readonly entries: readonly RawEntry[];
  /** Where the next call starts; null when all entries were checked. */
  readonly next: string | null;
  /** Entries that were ever added to the stream. */
  readonly added: number;
  /** The greatest id that the stream ever had; null when there is no stream. */
  readonly lastId: string | null;
}

/**
 * Takes back entries that no consumer holds and no read will deliver, up to `count` of them. Unique ids make it harmless
 * when such an entry is stored already.
 *
 * @param from null for the first call, then `next` of the call before
 */
export async function takeBackOrphans(
  redis: Redis,
  key: string,
  consumer: string,
  count: number,
  from: string | null,
): Promise<TakenBack> {
  const most = Math.min(count, MOST);
  const reply = await redis
    .callBuffer('EVAL', TAKE_BACK, 1, key, WRITERS_GROUP, consumer, most, from ?? '-')
    .catch((error: unknown) => {
      // A stream that does not exist has no orphans.
      if (/no such key/i.test(messageOf(error))) return [Buffer.from(''), [], 0, null];
      throw error;
    });
  const [next, entries, added, lastId] = reply as [Buffer, StreamReply, number, Buffer | null];
  return {
    entries: toRawEntries(key, entries),
    next: next.length === 0 ? null : next.toString(),
    added,
    lastId: lastId?.toString() ?? null,
  };
}
