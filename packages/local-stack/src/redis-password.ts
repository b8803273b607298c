import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** In the folder of a Redis, which reads it at its start. */
export const CONFIG_FILE = 'redis.conf';

/**
 * The password of the Redis on a folder: random, made once, stored in `<folder>/password`, mode 0600. Without one, any
 * user of the machine could read what waits in the queue, add events, and forge API keys.
 */
export async function redisPassword(folder: string): Promise<string> {
  const file = join(folder, 'password');
  const stored = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (stored !== '') return stored;
  const password = randomBytes(24).toString('hex');
  await writeFile(file, password, { mode: 0o600 });
  return password;
}

/**
 * Writes the password where Redis reads it at its start: a configuration file, mode 0600. On the command line, every user
 * of the machine could read it.
 */
export async function writeRedisConfig(folder: string, password: string): Promise<void> {
  await writeFile(join(folder, CONFIG_FILE), `requirepass "${password}"\n`, { mode: 0o600 });
}
