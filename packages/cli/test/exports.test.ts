import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { post } from '@sluice/testkit/http';
import { makeEvent } from '@sluice/testkit/make-event';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { type CommandResult, runCommand } from '@sluice/testkit/run-command';

const MAIN = resolve(import.meta.dirname, '../src/main.ts');
const KEY = 'the-operators-key';
const EVENTS = 40;
const folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
const dataDir = mkdtempSync(join(tmpdir(), 'sluice-data-'));
const exportDir = join(dataDir, 'exports');
mkdirSync(exportDir);
let operations: Operations;

beforeAll(async () => {
  const env = { EXPORT_DIR: exportDir, EXPORT_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}` };
  operations = await startOperations({ API_KEY: KEY, ...env });
  const { pipeline } = operations;
  await Promise.all([pipeline.startWriter('writer-1'), operations.startMaintenance(env)]);
  const events = Array.from({ length: EVENTS }, () => makeEvent());
  expect((await post(`${pipeline.ingest.url}/api/events`, { events })).status).toBe(202);
  await pipeline.stored(EVENTS);
  // An export ends where the oldest open transaction of the server began, which may be another test's.
  await vi.waitFor(
    async () => {
      const open = 'SELECT FROM events WHERE tx >= pg_snapshot_xmin(pg_current_snapshot())';
      expect(await pipeline.database.query(open)).toEqual([]);
    },
    { timeout: 180_000, interval: 50 },
  );
});
afterAll(() => operations.stop());

const sluice = (args: readonly string[], input?: string, env: Record<string, string> = {}): Promise<CommandResult> =>
  runCommand(MAIN, args, {
    cwd: folder,
    env: { QUERY_URL: operations.query.url, API_KEY: KEY, ...env },
    ...(input === undefined ? {} : { input }),
  });
// oxlint-disable-next-line typescript/no-explicit-any -- answers of every shape
const json = async (...args: string[]): Promise<any> => {
  const { code, stdout, stderr } = await sluice(['--json', ...args]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
};

describe('exporting', () => {
  it('runs, waits, shows, lists and verifies', async () => {
    const { code, stdout, stderr } = await sluice(['exports', 'run', '--format', 'ndjson']);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^Export [0-9a-f-]{36} succeeded: 40 rows, .*its manifest is \/.*\/manifest\.json\.$/m);
    const id = stdout.split(' ')[1]!;
    // Where the files are on this machine, a path that can be pasted.
    const here = await sluice(['exports', 'run', '--format', 'ndjson'], undefined, { SLUICE_DATA_DIR: dataDir });
    expect(existsSync(/its manifest is (.+)\.$/m.exec(here.stdout)![1]!)).toBe(true);

    const run = await json('exports', 'show', id);
    expect(run).toMatchObject({ state: 'succeeded', rows_done: EVENTS, rows_expected: EVENTS, format: 'ndjson' });
    const [{ key }] = run.files;
    // Other runs have files of the same name.
    const [file] = globSync(`**/${key}`, { cwd: exportDir });
    expect(readFileSync(join(exportDir, file!), 'utf8').trimEnd().split('\n')).toHaveLength(EVENTS);
    expect((await sluice(['exports', 'show', id])).stdout).toMatch(/state +succeeded[\s\S]*SHA-256/);
    expect((await sluice(['exports', 'list', '--state', 'succeeded'])).stdout).toContain(id);

    const verified = await sluice(['exports', 'verify', id]);
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('is as its manifest says') as string });
    appendFileSync(join(exportDir, file!), 'x');
    const refuted = await sluice(['exports', 'verify', id]);
    expect(refuted.code).toBe(1);
    expect(refuted.stdout).toMatch(/is NOT as its manifest says:\n.*bytes; the manifest says/);
  });

  it('does not wait with --no-wait', async () => {
    const { id, state } = await json('exports', 'run', '--since', '1h', '--no-wait');
    // A worker may have begun it before the answer was made.
    expect(['queued', 'running']).toContain(state);
    expect(await json('exports', 'list', '--limit', '1')).toMatchObject({ runs: [{ id }] });
  });

  it('fails with the reason, and is retried once that is fixed', async () => {
    const { database } = operations.pipeline;
    // A file is where the folder should be.
    writeFileSync(join(exportDir, 'taken'), '');
    await json('exports', 'config', 'set', '--local', 'taken');
    const failed = await sluice(['exports', 'run', '--wait']);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toMatch(/ failed: .*\[bad_destination\]\.\nFix the cause, then: \.\/sluice exports retry /);
    const id = failed.stdout.split(' ')[1]!;
    expect((await sluice(['exports', 'config', 'test'])).stdout).toMatch(/destination: .*\[bad_destination\]/);
    await json('exports', 'config', 'set', '--local', 'fixed');
    expect((await sluice(['exports', 'config', 'test'])).stdout).toMatch(/destination: .*fixed works/);
    expect((await sluice(['exports', 'retry', id, '--wait'])).stdout).toContain(`Export ${id} succeeded`);
    expect((await sluice(['exports', 'retry', id])).stderr).toContain('only a failed one can be retried');
    await database.query("UPDATE export_runs SET state = 'paused', manifest = NULL WHERE id = $1", [id]);
    expect((await sluice(['exports', 'cancel', id])).stdout).toContain('is cancelled');
    await json('exports', 'config', 'set', '--disable');
  });

  it('status shows the state of each tenant', async () => {
    const { stdout } = await sluice(['exports', 'status']);
    expect(stdout).toMatch(/tenant.*state.*schedule[\s\S]*default.*off/);
    expect((await json('exports', 'status', '--tenant', 'default')).tenants).toMatchObject([{ tenant: 'default' }]);
  });
});

describe('configuring', () => {
  const SECRET = 'the-secret-in-a-file';

  it('reads the secret from a file or from standard input, and changes only what is named', async () => {
    writeFileSync(join(folder, 'secret'), `${SECRET}\n`);
    const first = await sluice([
      'exports',
      'config',
      'set',
      '--tenant',
      'acme',
      '--bucket',
      'acme-events',
      '--region',
      'eu-central-1',
      '--access-key-id',
      'AKIAEXAMPLE01',
      '--secret-file',
      'secret',
      '--schedule',
      '30 2 * * MON-FRI',
    ]);
    expect(first.code, first.stderr).toBe(0);
    expect(first.stdout).toMatch(/s3:\/\/acme-events\/, with AKIA…LE01/);
    await json('exports', 'config', 'set', '--tenant', 'acme', '--prefix', 'raw', '--format', 'parquet');
    expect(await json('exports', 'config', 'show', '--tenant', 'acme')).toMatchObject({
      schedule: { cron: '30 2 * * MON-FRI' },
      format: 'parquet',
      destination: { bucket: 'acme-events', region: 'eu-central-1', prefix: 'raw', credentials: { set: true } },
    });
    const again = await sluice(
      [
        'exports',
        'config',
        'set',
        '--tenant',
        'acme',
        '--bucket',
        'other',
        '--access-key-id',
        'AKIAOTHER0002',
        '--secret-file',
        '-',
      ],
      SECRET,
    );
    expect(again.stdout).toContain('AKIA…0002');
    expect(JSON.stringify([first, again])).not.toContain(SECRET);
  });

  it('reads a whole configuration from a file', async () => {
    writeFileSync(
      join(folder, 'config.json'),
      JSON.stringify({ schedule: { every_events: 500 }, backup: { kind: 'local', prefix: 'backup' } }),
    );
    expect(await json('exports', 'config', 'set', '--tenant', 'emca', '--file', 'config.json')).toMatchObject({
      schedule: { every_events: 500 },
      backup: { kind: 'local', prefix: 'backup' },
    });
    expect((await sluice(['exports', 'config', 'show', '--tenant', 'emca'])).stdout).toContain('every 500 events');
  });
});

describe.concurrent('mistakes', () => {
  it.each([
    [['exports', 'run', '--format', 'xml'], 2, /Allowed choices are ndjson, json, csv, parquet/],
    [['exports', 'run', '--since', 'yesterday'], 2, /ISO 8601/],
    [['exports', 'run', '--since', '1h', '--until', '2h'], 1, /until must lie after since/],
    [['exports', 'run', '--tenant', 'nobody'], 1, /tenant "nobody" has no event/],
    [['exports', 'show', 'x'], 2, /UUID/],
    [['exports', 'verify', '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11'], 1, /not_found/],
    [['exports', 'list', '--limit', 'x'], 2, /whole number/],
    [['exports', 'config', 'set', '--schedule', 'weekly'], 1, /schedule must be hourly/],
    [['exports', 'config', 'set', '--local', '../x'], 1, /destination.prefix/],
    [
      ['exports', 'config', 'set', '--bucket', 'abc', '--access-key-id', 'x', '--secret-file', 'nowhere'],
      2,
      /nowhere cannot be read/,
    ],
  ] as [string[], number, RegExp][])('sluice %j ends with %i and says what to do', async (args, code, message) => {
    const result = await sluice(args);
    expect(result.stderr).toMatch(message);
    expect(result.code).toBe(code);
  });
});

it('--help has examples for every command', async () => {
  const commands = 'run,status,list,show,verify,retry,cancel,config show,config set,config test'.split(',');
  await Promise.all(
    commands.map(async (command) => {
      const { code, stdout } = await sluice(['exports', ...command.split(' '), '--help']);
      expect(stdout, command).toContain(`./sluice exports ${command}`);
      expect(code, command).toBe(0);
    }),
  );
});
