import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findRedisServer } from '../src/find-redis.ts';
import { temporaryFolder } from './fixtures/temporary-folder.ts';

async function program(folder: string, name: string, version: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\necho "${version}"\n`);
  await chmod(path, 0o755);
  return path;
}

const find = (...folders: string[]) => findRedisServer({ env: { PATH: folders.join(':') }, report: () => {} });

test('takes redis-server from PATH', async () => {
  const folder = await temporaryFolder();
  const path = await program(folder, 'redis-server', 'Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0');
  expect(await find('/nonexistent', folder)).toEqual({ kind: 'program', path });
});

test('takes valkey-server when there is no redis-server, or only one that is too old', async () => {
  const folder = await temporaryFolder();
  const path = await program(folder, 'valkey-server', 'Valkey server v=8.1.1 sha=00000000:0');
  expect(await find(folder)).toEqual({ kind: 'program', path });
  await program(folder, 'redis-server', 'Redis server v=6.0.16 sha=00000000:0');
  expect(await find(folder)).toEqual({ kind: 'program', path });
});

test('fetches nothing with mayInstall: false, and says so', async () => {
  const folder = await temporaryFolder();
  const calls = join(folder, 'calls');
  // A Docker engine without the image.
  await writeFile(join(folder, 'docker'), `#!/bin/sh\necho "$1" >> '${calls}'\n[ "$1" = version ]\n`, { mode: 0o755 });
  const lines: string[] = [];
  const found = findRedisServer({
    env: { PATH: folder },
    report: (line) => lines.push(line),
    mayInstall: false,
  });
  await expect(found).rejects.toThrow(/^no Redis to start, and --no-install refuses to fetch one\. Do one of these/);
  expect(lines).toEqual([]);
  expect((await readFile(calls, 'utf8')).split('\n')).toEqual(['version', 'image', '']);
});
