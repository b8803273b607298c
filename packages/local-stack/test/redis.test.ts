import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findRedisServer } from '../src/find-redis.ts';
import { commandOf, startTimeOf } from '../src/process-info.ts';
import { startRedis } from '../src/redis.ts';
import type { RedisHandle, RedisOptions } from '../src/redis.ts';
import { leaveBehind } from './fixtures/killed-supervisor.ts';
import { temporaryFolder } from './fixtures/temporary-folder.ts';

const server = await findRedisServer({
  env: process.env,
  report: (line) => process.stdout.write(`${line}\n`),
});

async function start(options: Omit<RedisOptions, 'server'>): Promise<RedisHandle> {
  const redis = await startRedis({ ...options, server });
  onTestFinished(() => redis.stop());
  return redis;
}

/** Sends inline commands and answers everything that Redis sent; QUIT makes it close after its last answer. */
async function ask(url: string, ...commands: string[]): Promise<string> {
  const { port, password } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  const login = password === '' ? [] : [`AUTH ${password}`];
  socket.end([...login, ...commands, 'QUIT', ''].join('\r\n'));
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString()));
  await once(socket, 'close');
  return answer;
}

test('has every write on disk before it answers, and never evicts', async () => {
  const redis = await start({ dataDir: await temporaryFolder(), settings: { maxmemory: '64mb' } });
  const settings = {
    appendonly: 'yes',
    appendfsync: 'always',
    'no-appendfsync-on-rewrite': 'no',
    'maxmemory-policy': 'noeviction',
    'stream-node-max-bytes': '16384',
    save: '',
    bind: '127.0.0.1',
    maxmemory: '67108864',
  };
  for (const [name, value] of Object.entries(settings)) {
    expect(await ask(redis.url, `CONFIG GET ${name}`)).toContain(
      `$${name.length}\r\n${name}\r\n$${value.length}\r\n${value}\r\n`,
    );
  }
});

test('has its data after a stop and a start', async () => {
  const dataDir = await temporaryFolder();
  const first = await start({ dataDir });
  await ask(first.url, 'SET answer 42');
  await Promise.all([first.stop(), first.stop()]);
  expect(await startTimeOf(first.pid)).toBeUndefined();
  const second = await start({ dataDir, port: first.port });
  expect(second.url).toBe(first.url);
  expect(await ask(second.url, 'GET answer')).toContain('42');
});

test('has every acknowledged write after it was killed', async () => {
  const dataDir = await temporaryFolder();
  const first = await start({ dataDir });
  await ask(first.url, 'SET answer 42');
  process.kill(first.pid, 'SIGKILL');
  expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
  expect(await ask((await start({ dataDir })).url, 'GET answer')).toContain('42');
});

test('stops a server that a killed supervisor left on the data, and nothing is lost', async () => {
  const dataDir = await temporaryFolder();
  const left = await leaveBehind('redis', dataDir);
  await ask(left.url, 'SET answer 42');
  const redis = await start({ dataDir });
  // A process that ends loses its command line, for which the start waited, a moment before the rest.
  await expect.poll(() => startTimeOf(left.pid)).toBeUndefined();
  expect(await ask(redis.url, 'GET answer')).toContain('42');
});

test('asks for the password of its folder, which no other user can read and no command line shows', async () => {
  const dataDir = await temporaryFolder();
  const redis = await start({ dataDir });
  const url = new URL(redis.url);
  expect(url.password).toMatch(/^[0-9a-f]{48}$/);
  for (const name of ['password', 'redis.conf']) {
    const file = join(dataDir, name);
    expect(readFileSync(file, 'utf8')).toContain(url.password);
    expect(statSync(file).mode & 0o077, name).toBe(0);
  }
  expect(await commandOf(redis.pid)).not.toContain(url.password);
  url.password = '';
  expect(await ask(url.href, 'GET answer')).toContain('-NOAUTH');
  url.password = 'wrong';
  expect(await ask(url.href, 'GET answer')).toContain('-WRONGPASS');
});

test('runs several at once', async () => {
  const [one, two] = await Promise.all([
    start({ dataDir: await temporaryFolder() }),
    start({ dataDir: await temporaryFolder() }),
  ]);
  await ask(one.url, 'SET whose one');
  expect(await ask(two.url, 'GET whose')).toContain('$-1');
});

test('an aborted start ends at once, and leaves no process running', async () => {
  const dataDir = await temporaryFolder();
  // It never listens.
  const path = join(dataDir, 'redis-server');
  writeFileSync(path, '#!/bin/sh\necho $$ > pid\nexec sleep 600\n', { mode: 0o755 });
  const stopping = new AbortController();
  const started = startRedis({ dataDir, server: { kind: 'program', path }, signal: stopping.signal });
  started.catch(() => {});
  const pid = (): number => Number(readFileSync(join(dataDir, 'pid'), 'utf8'));
  await expect.poll(() => startTimeOf(pid())).toBeDefined();
  stopping.abort();
  await expect(started).rejects.toThrow('aborted');
  expect(await startTimeOf(pid())).toBeUndefined();
});

test('says what the server said when it does not start', async () => {
  const failed = startRedis({
    dataDir: await temporaryFolder(),
    server,
    settings: { appendfsync: 'perhaps' },
  });
  await expect(failed).rejects.toThrow(/Redis ended at start \(exit code 1\):[^]*appendfsync/);
});
