import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { type CommandResult, runCommand } from '@sluice/testkit/run-command';

const MAIN = resolve(import.meta.dirname, '../src/main.ts');
const KEY = 'the-operators-key';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({ API_KEY: KEY }, { ingest: false });
  await operations.startMaintenance();
  await vi.waitFor(
    async () => expect((await operations.ask('GET', '/api/jobs', undefined, KEY)).body.jobs.length).toBeGreaterThan(3),
    { timeout: 180_000, interval: 20 },
  );
});
afterAll(() => operations.stop());
beforeEach(() => operations.pipeline.database.query('TRUNCATE job_runs'));

const sluice = (...args: string[]): Promise<CommandResult> =>
  runCommand(MAIN, args, { cwd: import.meta.dirname, env: { QUERY_URL: operations.query.url, API_KEY: KEY } });

describe('jobs list', () => {
  it('shows every job, as a table and as JSON', async () => {
    const { code, stdout } = await sluice('jobs', 'list');
    expect(code).toBe(0);
    expect(stdout).toMatch(/close-sessions.*every 1 min/);
    const found = JSON.parse((await sluice('--json', 'jobs', 'list')).stdout) as { jobs: { name: string }[] };
    expect(found.jobs.map(({ name }) => name)).toContain('rotate-segments');
  });
});

describe('jobs run', () => {
  it('waits for the end and reports the result', async () => {
    const { code, stdout, stderr } = await sluice('jobs', 'run', 'rotate-segments');
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/Run \S+ of rotate-segments is \w+/);
    expect(stdout).toMatch(/Run \S+ of rotate-segments succeeded; 0 rows in \d+ s\./);
    const json = await sluice('--json', 'jobs', 'run', 'expire-history');
    expect(JSON.parse(json.stdout)).toMatchObject({ job: 'expire-history', state: 'succeeded' });
  });

  it('shows what a dry run would do', async () => {
    const { stdout } = await sluice('jobs', 'run', 'expire-tenant-events', '--input', 'dry_run=true');
    expect(stdout).toMatch(/succeeded; 0 rows in \d+ s\.\n {2}dry_run: true\n$/);
    await operations.pipeline.database.query(
      "INSERT INTO tenant_retention (tenant, days, updated_by) VALUES ('acme', 7, 'test')",
    );
    const again = await sluice('jobs', 'run', 'expire-tenant-events', '--input', 'dry_run=true');
    expect(again.stdout).toMatch(/ {2}would_delete: \[\{"events":0,.*"tenants":\["acme"\]/);
  });

  it('Ctrl-C leaves the run running, and says so', async () => {
    const { database } = operations.pipeline;
    const blocker = await database.connect();
    onTestFinished(() => blocker.end());
    await blocker.query('BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE');
    const env = { PATH: process.env['PATH'], QUERY_URL: operations.query.url, API_KEY: KEY };
    const command = spawn(process.execPath, [MAIN, 'jobs', 'run', 'close-sessions'], { cwd: import.meta.dirname, env });
    let said = '';
    command.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    await vi.waitFor(() => expect(said).toMatch(/ is running\./), { timeout: 180_000, interval: 20 });
    command.kill('SIGINT');
    expect(await once(command, 'close')).toEqual([null, 'SIGINT']);
    const id = /Run (\S+) continues\./.exec(said)?.[1];
    await blocker.end();
    await vi.waitFor(
      async () =>
        expect(await database.query('SELECT state FROM job_runs WHERE id = $1', [id])).toEqual([
          { state: 'succeeded' },
        ]),
      { timeout: 180_000, interval: 20 },
    );
  });

  it('does not wait with --no-wait', async () => {
    // As long as this is held, the run cannot have ended.
    const blocker = await operations.pipeline.database.connect();
    onTestFinished(() => blocker.end());
    await blocker.query('BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE');
    const { code, stdout } = await sluice('jobs', 'run', 'close-sessions', '--no-wait');
    await blocker.end();
    expect([code, stdout]).toEqual([0, expect.stringMatching(/Run \S+ of close-sessions is (queued|running)/)]);
  });

  it('ends with 1 when the run fails', async () => {
    const { database } = operations.pipeline;
    await database.query('ALTER TABLE sessions RENAME TO sessions_away');
    const { code, stdout } = await sluice('jobs', 'run', 'close-sessions');
    await database.query('ALTER TABLE sessions_away RENAME TO sessions');
    expect([code, stdout]).toEqual([1, expect.stringMatching(/close-sessions failed: .*"sessions" does not exist/)]);
  });

  it.each([
    [['frobnicate'], 1, /There is no job frobnicate/],
    [['rotate-segments', '--input', 'weeks=3'], 1, /There is no property called weeks; none is known\./],
    [['expire-segments', '--input', 'dryrun=true'], 1, /There is no property called dryrun; known: dry_run\./],
    [['expire-segments', '--input', 'dry_run=yes'], 1, /dry_run must be boolean\./],
    [['expire-segments', '--input', 'dry_run=1'], 1, /dry_run must be boolean\./],
    [['expire-segments', '--input', 'dry_run=true', 'toString=1'], 1, /no property called toString; known: dry_run\./],
    [['verify-export', '--input', 'run_id=7'], 1, /run_id must be string\./],
    [['verify-export', '--input', 'run_id=abc'], 1, /run_id must match format "uuid"\./],
    [['verify-export'], 1, /run_id is missing\./],
    [['rotate-segments', '--input', 'weeks'], 2, /name=value/],
    [[], 2, /missing required argument/],
  ])('%j ends with %i and says why', async (args, code, message) => {
    const result = await sluice('jobs', 'run', ...args);
    expect([result.code, result.stderr]).toEqual([code, expect.stringMatching(message)]);
  });
});

describe('jobs history', () => {
  it('shows runs of one job or of all, newest first, in pages', async () => {
    for (const job of ['rotate-segments', 'expire-history', 'expire-history']) await sluice('jobs', 'run', job);
    const { stdout } = await sluice('jobs', 'history');
    expect(stdout).toMatch(/expire-history[\s\S]*rotate-segments.*succeeded.*api-key/);
    const page = await sluice('jobs', 'history', 'expire-history', '--limit', '1');
    const cursor = /--cursor (\S+)/.exec(page.stdout)?.[1];
    const rest = await sluice('--json', 'jobs', 'history', 'expire-history', '--cursor', cursor!);
    expect((JSON.parse(rest.stdout) as { runs: unknown[] }).runs).toHaveLength(1);
    expect((await sluice('jobs', 'history', 'frobnicate')).stderr).toContain('There is no job frobnicate');
  });
});

it('--help has examples for every command', async () => {
  for (const command of ['list', 'run', 'history']) {
    expect((await sluice('jobs', command, '--help')).stdout).toContain(`Examples:\n  ./sluice jobs ${command}`);
  }
});
