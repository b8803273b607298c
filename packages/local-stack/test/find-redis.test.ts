import { chmod, writeFile } from 'node:fs/promises';
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
