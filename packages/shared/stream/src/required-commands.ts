import type { Redis } from 'ioredis';
import { refusalOf } from './redis-refusal.ts';

/** Reads nothing and writes nothing; without the flag `no-writes`, so that a read-only replica refuses it. */
const MAY_RUN = `#!lua flags=allow-oom
for _, json in ipairs(ARGV) do
  local command = cjson.decode(json)
  if not redis.acl_check_cmd(unpack(command)) then
    return redis.error_reply("NOPERM this user has no permissions to run the '" .. string.lower(command[1]) .. "' command")
  end
end
return 1`;

/**
 * Asks Redis whether this user may run commands, without running them.
 *
 * @param commands each with its arguments
 * @throws Redis's refusal: NOPERM for one of them or for scripts, READONLY on a replica
 */
export async function requireCommands(redis: Redis, commands: readonly (readonly string[])[]): Promise<void> {
  await redis.eval(MAY_RUN, 0, ...commands.map((command) => JSON.stringify(command)));
}

/**
 * Asks Redis whether a shard's key is a stream, or not there yet.
 *
 * @throws WRONGTYPE, with the key
 */
export async function requireStream(redis: Redis, key: string): Promise<void> {
  try {
    await redis.xlen(key);
  } catch (error) {
    // Only the type is asked for: no daemon needs XLEN for its work.
    if (refusalOf(error)?.code !== 'WRONGTYPE') return;
    throw Object.assign(error as Error, { message: `${(error as Error).message}: ${key}` });
  }
}
