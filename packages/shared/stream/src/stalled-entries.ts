import type { Redis } from 'ioredis';

/** An operator's decision to set a stalled entry aside. */
export interface SetAside {
  readonly by: string;
  readonly note: string;
}

/** A stalled entry, and why it cannot be stored. */
export interface StalledEntry {
  /** Key of its stream. */
  readonly stream: string;
  readonly id: string;
  readonly code: string;
  readonly message: string;
  /** When the stall began, ISO 8601. */
  readonly since: string;
  /** The writer that holds it. */
  readonly consumer: string;
}

/**
 * How long notes outlive the last try of a stalled batch, in seconds: a writer that dies leaves them behind. A batch is tried
 * at least every 30 s.
 */
const NOTES_SECONDS = 24 * 60 * 60;

/** Key of the hash with the stalled entries of a stream: id → why, as JSON. In the same slot of a Redis Cluster. */
function stalledKey(streamKey: string): string {
  return `${streamKey}:stalled`;
}

/** Key of the hash with the entries that operators have set aside: id → `SetAside`, as JSON. */
function setAsideKey(streamKey: string): string {
  return `${streamKey}:set-aside`;
}

/** Notes entries that stall a writer, so that operators see them and can set them aside. */
export async function noteStalled(redis: Redis, entries: readonly StalledEntry[]): Promise<void> {
  for (const [stream, its] of Map.groupBy(entries, (entry) => entry.stream)) {
    const notes = its.map(({ id, code, message, since, consumer }) => [
      id,
      JSON.stringify({ code, message, since, consumer }),
    ]);
    await redis.hset(stalledKey(stream), Object.fromEntries(notes) as Record<string, string>);
    await redis.expire(stalledKey(stream), NOTES_SECONDS);
  }
}

/** What operators decided about entries, by stream and id as `stream id`. */
export async function readSetAside(
  redis: Redis,
  entries: readonly { readonly key: string; readonly id: string }[],
): Promise<ReadonlyMap<string, SetAside>> {
  const decided = new Map<string, SetAside>();
  for (const [stream, its] of Map.groupBy(entries, (entry) => entry.key)) {
    const found = await redis.hmget(setAsideKey(stream), ...its.map(({ id }) => id));
    for (const [at, text] of found.entries())
      if (text !== null) decided.set(`${stream} ${its[at]!.id}`, JSON.parse(text) as SetAside);
  }
  return decided;
}

/** Removes what was noted about entries, once they are settled. */
export async function forgetStalled(
  redis: Redis,
  entries: readonly { readonly key: string; readonly id: string }[],
): Promise<void> {
  for (const [stream, its] of Map.groupBy(entries, (entry) => entry.key)) {
    const ids = its.map(({ id }) => id);
    await redis.hdel(stalledKey(stream), ...ids);
    await redis.hdel(setAsideKey(stream), ...ids);
  }
}

/** Entries of a stream that stall a writer and are still in the stream. */
export async function readStalled(redis: Redis, streamKey: string): Promise<readonly StalledEntry[]> {
  const notes = Object.entries(await redis.hgetall(stalledKey(streamKey)));
  const left = await Promise.all(notes.map(([id]) => isInStream(redis, streamKey, id)));
  return notes.flatMap(([id, text], at) =>
    left[at] ? [{ stream: streamKey, id, ...(JSON.parse(text) as Omit<StalledEntry, 'stream' | 'id'>) }] : [],
  );
}

/**
 * Marks stalled entries as set aside. The writer that holds one reads the mark before its next try. An entry that was
 * settled meanwhile is left out: the script finds it neither stalled nor in the stream.
 *
 * @returns ids of the entries that were marked
 */
export async function setAside(
  redis: Redis,
  streamKey: string,
  ids: readonly string[],
  { by, note }: SetAside,
): Promise<readonly string[]> {
  if (ids.length === 0) return [];
  const keys = [streamKey, stalledKey(streamKey), setAsideKey(streamKey)];
  return (await redis.eval(MARK, 3, ...keys, JSON.stringify({ by, note }), NOTES_SECONDS, ...ids)) as string[];
}

/** Arguments: the mark, seconds until it is forgotten, ids. */
const MARK = `
local marked = {}
for at = 3, #ARGV do
  local id = ARGV[at]
  if redis.call('HEXISTS', KEYS[2], id) == 1 and #redis.call('XRANGE', KEYS[1], id, id) == 1 then
    redis.call('HSET', KEYS[3], id, ARGV[1])
    marked[#marked + 1] = id
  end
end
if #marked > 0 then redis.call('EXPIRE', KEYS[3], ARGV[2]) end
return marked`;

async function isInStream(redis: Redis, streamKey: string, id: string): Promise<boolean> {
  return (await redis.xrange(streamKey, id, id)).length > 0;
}
