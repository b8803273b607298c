import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { VERSION } from '@sluice/errors/version';
import { COMPILE_CACHE } from '@sluice/testkit/compile-cache';
import { isListed, listedLogLines } from '../docs/listed-log-lines.ts';

const MEMORY_PROFILES: Readonly<Record<string, string>> = {
  'ingest-api': 'weighed-buffers',
  'writer-worker': 'bounded-new-space',
  'maintenance-worker': 'early-collection',
};
const REPOSITORY = resolve(import.meta.dirname, '../..');

describe.each(['ingest-api', 'query-api', 'writer-worker', 'maintenance-worker'])('%s', (name) => {
  it('logs first what runs, which servers it uses, and that tracing is off', async () => {
    const [first] = lines(await outputOf(name, { LOG_LEVEL: 'info' }));
    expect(first).toMatchObject({
      level: 30,
      msg: 'starting',
      daemon: name,
      version: VERSION,
      node: process.version,
      memory: MEMORY_PROFILES[name] ?? 'default',
      redis: 'redis://127.0.0.1:1',
      ...(name === 'ingest-api' ? {} : { database: 'postgres://127.0.0.1:1/none' }),
      tracing: { state: 'off' },
    });
  });

  it('logs where its traces go, without the login, and warns when they go nowhere', async () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://login:planted@127.0.0.1:1', OTEL_TRACES_SAMPLER_ARG: '0.5' };
    const traced = await outputOf(name, env, ['--import', join(REPOSITORY, 'packages/daemon/src/tracing.ts')]);
    expect(lines(traced)[0]).toMatchObject({
      tracing: { state: 'on', endpoint: 'http://127.0.0.1:1/', ratio: 0.5 },
    });
    const forgotten = await outputOf(name, env);
    expect(lines(forgotten)).toMatchObject([
      { tracing: { state: 'not loaded' } },
      { level: 40, msg: expect.stringMatching(/^nothing is traced/) as string },
      ...lines(forgotten).slice(2),
    ]);
    expect(traced + forgotten).not.toContain('planted');
  });

  it('logs what LOG_LEVEL allows, only listed messages, and nothing else', async () => {
    const all = lines(await outputOf(name, { LOG_LEVEL: 'trace' }));
    const listed = listedLogLines();
    expect(all.filter((line) => !isListed(listed, line))).toEqual([]);
    const warnings = lines(await outputOf(name, { LOG_LEVEL: 'warn' }));
    expect(warnings.length).toBeGreaterThan(0);
    for (const { level } of warnings) expect(level).toBeGreaterThanOrEqual(40);
    expect(await outputOf(name, { LOG_LEVEL: 'fatal' })).toBe('');
  });
});

/** Everything that a daemon logs from its start to its ordered stop, without Redis and Postgres. */
async function outputOf(name: string, env: Record<string, string>, options: string[] = []): Promise<string> {
  const daemon = spawn(process.execPath, [...options, join(REPOSITORY, 'packages', name, 'src/main.ts')], {
    cwd: tmpdir(),
    env: {
      PATH: process.env['PATH'],
      ...COMPILE_CACHE,
      ...Object.fromEntries(['INGEST', 'QUERY', 'WRITER', 'MAINTENANCE'].map((each) => [`${each}_PORT`, '0'])),
      REDIS_URL: 'redis://:secret@127.0.0.1:1',
      DATABASE_URL: 'postgres://somebody:secret@127.0.0.1:1/none',
      SHUTDOWN_TIMEOUT_MS: '2000',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const output = Promise.all([text(daemon.stdout!), text(daemon.stderr!)]);
  await once(daemon, 'message');
  daemon.kill('SIGTERM');
  return (await output).join('');
}

function lines(output: string): Record<string, unknown>[] {
  return output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
