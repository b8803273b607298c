import { expect, onTestFinished, test } from 'vitest';
import { startTimeOf } from '../src/process-info.ts';
import { startStack } from '../src/stack.ts';
import type { StackOptions } from '../src/stack.ts';
import { temporaryFolder } from './fixtures/temporary-folder.ts';

const ANY_PORT = { INGEST_PORT: '0', QUERY_PORT: '0', WRITER_PORT: '0', MAINTENANCE_PORT: '0' };

async function start(options: Partial<StackOptions> = {}) {
  const { DATABASE_URL: _database, REDIS_URL: _redis, ...env } = process.env;
  const lines: string[] = [];
  const stack = await startStack({
    dataDir: await temporaryFolder(),
    env: { ...env, ...ANY_PORT },
    report: (line) => lines.push(line),
    ...options,
  });
  onTestFinished(() => stack.stop('forced'));
  return { stack, lines };
}

test('starts everything in order, one line each, and leaves no process running', async () => {
  const { stack, lines } = await start();
  const ready = lines.filter((line) => / ready {2}/.test(line)).map((line) => line.split(' ')[0]);
  expect(ready).toEqual(['postgres', 'redis', 'writer-worker', 'maintenance-worker', 'query-api', 'ingest-api']);
  expect((await fetch(`${stack.daemons['ingest-api']?.url}/live`)).status).toBe(200);

  const pids = Object.values(stack.daemons).map(({ pid }) => pid!);
  const stopped: string[] = [];
  for (const daemon of Object.values(stack.daemons))
    daemon.onExit(({ code }) => stopped.push(`${daemon.name} ${code}`));
  await Promise.all([stack.stop(), stack.stop()]);
  expect(stopped.slice(0, 2)).toEqual(['ingest-api 0', 'writer-worker 0']);
  expect(stopped.toSorted().slice(1, 3)).toEqual(['maintenance-worker 0', 'query-api 0']);
  expect(await Promise.all(pids.map(startTimeOf))).toEqual([undefined, undefined, undefined, undefined]);
});

test('names the port that is taken before it starts anything', async () => {
  const { stack } = await start({ daemons: ['query-api'] });
  const { port } = new URL(stack.daemons['query-api']!.url);
  const lines: string[] = [];
  const env = { ...process.env, ...ANY_PORT, INGEST_PORT: port };
  await expect(start({ env, report: (line) => lines.push(line) })).rejects.toThrow(
    new RegExp(`^port ${port} \\(INGEST_PORT\\) is taken by .+; set INGEST_PORT to another$`),
  );
  expect(lines).toEqual([]);
});
