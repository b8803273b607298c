import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { post } from '@sluice/testkit/http';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { type CommandResult, runCommand } from '@sluice/testkit/run-command';

const MAIN = resolve(import.meta.dirname, '../src/main.ts');
const KEY = 'the-operators-key';
const folder = mkdtempSync(join(inject('runFolder'), 'cli-'));
let operations: Operations;

beforeAll(async () => {
  operations = await startOperations({ API_KEY: KEY });
  await operations.refusePoison();
  await Promise.all([operations.pipeline.startWriter('writer-1'), operations.startMaintenance()]);
});
afterAll(() => operations.stop());
beforeEach(() =>
  operations.pipeline.database.query('TRUNCATE dead_letters, replays, audit_log, events, event_ids, sessions'),
);

const sluice = (args: readonly string[], input?: string, env: Record<string, string> = {}): Promise<CommandResult> =>
  runCommand(MAIN, args, {
    cwd: folder,
    env: { QUERY_URL: operations.query.url, API_KEY: KEY, ...env },
    ...(input === undefined ? {} : { input }),
  });

const json = async (...args: string[]): Promise<Record<string, unknown>> => {
  const { code, stdout, stderr } = await sluice(['--json', ...args]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Record<string, unknown>;
};

describe('reading', () => {
  it('lists dead letters as a table, and as JSON', async () => {
    const [first] = await operations.seed(3, { message: 'made to fail' });
    const { code, stdout } = await sluice(['dead-letters', 'list', '--text', 'made to']);
    expect(code).toBe(0);
    expect(stdout).toContain('made to fail');
    expect(stdout).toContain(first);
    expect((await json('dead-letters', 'list', '--reason', 'invalid_value'))['dead_letters']).toHaveLength(3);
    expect((await json('dead-letters', 'list', '--summary'))['groups']).toMatchObject([{ count: 3 }]);
    expect((await sluice(['dead-letters', 'list', '--reason', 'kills_reader'])).stdout).toContain('(none)');
  });

  it('continues with a cursor', async () => {
    await operations.seed(3);
    const page = await sluice(['dead-letters', 'list', '--limit', '2']);
    const cursor = /--cursor (\S+)/.exec(page.stdout)?.[1];
    expect((await json('dead-letters', 'list', '--limit', '2', '--cursor', cursor!))['dead_letters']).toHaveLength(1);
  });

  it('shows one in full', async () => {
    const [id] = await operations.seed(1, { event: makeEvent({ eventType: 'Poison', cellAddress: 'Q17' }) });
    expect((await sluice(['dead-letters', 'show', id!])).stdout).toMatch(
      /reason +invalid_value[\s\S]*"cellAddress": "Q17"/,
    );
  });

  it('exports as NDJSON, and does not overwrite', async () => {
    await operations.seed(5);
    expect((await sluice(['dead-letters', 'export', 'dead.ndjson'])).stderr).toContain('5 dead letters written');
    const lines = readFileSync(join(folder, 'dead.ndjson'), 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { state: string }).state)).toEqual(
      Array.from({ length: 5 }, () => 'dead'),
    );
    expect(await sluice(['dead-letters', 'export', 'dead.ndjson'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('exists already') as string,
    });
    expect((await sluice(['dead-letters', 'export'])).stdout.trimEnd().split('\n')).toHaveLength(5);
  });

  it('status shows the queue', async () => {
    expect((await sluice(['status'])).stdout).toContain('The queue is empty.');
    expect(await json('status')).toMatchObject({ totals: { length: 0 } });
  });

  it('status shows whether every entry is accounted for, and what was lost', async () => {
    const { redis, stream, ingest } = operations.pipeline;
    const batch = { events: makeEvents(3) };
    for (const body of [batch, batch]) await post(`${ingest.url}/api/events`, body);
    await operations.pipeline.drained();
    const good = await sluice(['status']);
    expect(good.stdout).toContain(
      'Entries: 2 added, 2 settled, 0 waiting. Events settled: 3 stored, 3 duplicate, 0 dead.',
    );
    expect(good.stdout).not.toContain('DRIFT');
    expect(good.stdout).not.toContain('operations.md');

    // No writer sees the entry: it is added and deleted in one transaction.
    await redis.multi().xadd(stream, '5000000000000-0', 'v', '1').xdel(stream, '5000000000000-0').exec();
    const bad = await sluice(['status']);
    expect(bad.stdout).toContain('DRIFT: 1 entry left the stream without having been stored (shard 0).');
    expect(bad.stdout).toContain('docs/operate/health.md, "Is everything accounted for"');
    expect(await json('status')).toMatchObject({
      conservation: { entries: { added: 3, settled: 2, waiting: 0, drift: 1 }, events: { settled: 6, drift: 0 } },
    });

    await redis.hincrby(`${stream}:settled`, 'entries', 5);
    await redis.hincrby(`${stream}:settled`, 'events', -2);
    const odd = await sluice(['status']);
    expect(odd.stdout).toContain('DRIFT: the stream of shard 0 was deleted and made again');
    expect(odd.stdout).toContain('DRIFT: writers lost count of 2 events of settled entries (shard 0).');
    await redis.del(`${stream}:settled`);
    const uncounted = await sluice(['status']);
    expect(uncounted.stdout).toContain('Entries: 3 added, 3 of them gone before counting began, 0 settled, 0 waiting.');
    expect(uncounted.stdout).not.toContain('DRIFT');
  });
});

describe('editing and replaying', () => {
  it('edits from a file and replays until it is stored, keeping the digits of large numbers', async () => {
    const event = makeEvent({ eventType: 'Poison' });
    const [id] = await operations.seed(1, { event });
    writeFileSync(
      join(folder, 'fixed.json'),
      JSON.stringify({ ...event, eventType: 'CellChange', big: 0 }).replace('"big":0', '"big":12345678901234567890'),
    );
    expect(
      (await sluice(['dead-letters', 'edit', id!, '--payload', 'fixed.json', '--note', 'typing error'])).code,
    ).toBe(0);
    const { code, stdout } = await sluice(['dead-letters', 'replay', id!, '--yes', '--rate', '1000']);
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/^Replay \S+ finished: 1 of 1 stored\.$/m);
    const audit = await operations.pipeline.database.query(
      "SELECT reason FROM audit_log WHERE action = 'dead_letters.edit'",
    );
    expect(audit).toEqual([{ reason: 'typing error' }]);
    const rows = await operations.pipeline.database.query(
      'SELECT event_type, payload::text FROM events WHERE event_id = $1',
      [event['eventId']],
    );
    expect(rows).toMatchObject([
      { event_type: 'CellChange', payload: expect.stringContaining('12345678901234567890') as string },
    ]);
  });

  it('says what to do where there is no terminal to edit in', async () => {
    const [id] = await operations.seed(1);
    expect(await sluice(['dead-letters', 'edit', id!])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--payload') as string,
    });
  });

  it('tries first with --dry-run, and ends with 1 when some fail again', async () => {
    await operations.seed(2);
    expect(await json('dead-letters', 'replay', '--all', '--dry-run')).toMatchObject({
      matched: 2,
      would_store: 0,
      would_fail: [{}, {}],
    });
    const { code, stdout } = await sluice([
      'dead-letters',
      'replay',
      '--reason',
      'invalid_value',
      '--yes',
      '--rate',
      '1000',
    ]);
    expect(stdout).toMatch(/^Replay \S+ finished: 0 of 2 stored, 2 failed again \(\.\/sluice dead-letters list\)\.$/m);
    expect(stdout).not.toContain('succeeded');
    expect(code).toBe(1);
  });

  it('--reason of edit, its name in 0.1.0, is the note', async () => {
    const event = makeEvent({ eventType: 'Poison' });
    const [id] = await operations.seed(1, { event });
    const edit = ['dead-letters', 'edit', id!, '--payload', '-', '--reason', 'old name'];
    expect((await sluice(edit, JSON.stringify({ ...event, eventType: 'CellChange' }))).code).toBe(0);
    expect(await operations.pipeline.database.query('SELECT reason FROM audit_log')).toEqual([{ reason: 'old name' }]);
    expect((await sluice(['dead-letters', 'edit', '--help'])).stdout).not.toContain('--reason');
  });

  it('reports ids that are not dead any more, and ends with 1 unless they may be missing', async () => {
    const [discarded, dead] = await operations.seed(2);
    const discard = (...args: string[]) => sluice(['dead-letters', 'discard', ...args, '--note', 'test data', '--yes']);
    expect(await discard(discarded!)).toMatchObject({ code: 0, stdout: '1 discarded.\n', stderr: '' });
    const said = expect.stringMatching(
      new RegExp(`^Dead letter ${discarded} is discarded since 20.{17}: nothing to do\\.$`, 'm'),
    ) as string;
    expect(await discard(discarded!)).toMatchObject({ code: 1, stdout: '', stderr: said });
    expect(await sluice(['dead-letters', 'replay', discarded!, '--yes'])).toMatchObject({ code: 1, stderr: said });
    expect(await sluice(['dead-letters', 'replay', discarded!, '--dry-run'])).toMatchObject({ code: 1, stderr: said });
    expect(await discard(discarded!, '--ignore-missing')).toMatchObject({ code: 0, stderr: said });
    expect(await discard(discarded!, dead!)).toMatchObject({ code: 1, stdout: '1 discarded.\n', stderr: said });
    expect(await discard('999999')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no dead letter 999999') as string,
    });
    expect(await discard('999999', '--ignore-missing')).toMatchObject({
      code: 0,
      stderr: 'Dead letter 999999 does not exist: nothing to do.\n',
    });
  });

  it('discards with a reason', async () => {
    await operations.seed(3);
    expect((await sluice(['dead-letters', 'discard', '--all', '--note', 'test data', '--yes'])).stdout).toContain(
      '3 discarded',
    );
    expect((await json('dead-letters', 'list'))['dead_letters']).toEqual([]);
  });
});

describe('keys', () => {
  it('makes one that works, prints nothing but the key on standard output, lists it and revokes it', async () => {
    const { code, stdout, stderr } = await sluice(['keys', 'create', 'dashboard', '--scope', 'read', 'operate']);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^slk_[0-9a-f]{16}_[\w-]{43}\n$/);
    const id = stdout.slice(4, 20);
    expect(stderr).toContain(id);
    expect((await sluice(['status'], undefined, { API_KEY: stdout.trim() })).code).toBe(0);
    const list = await sluice(['keys', 'list']);
    expect(list.stdout).toContain(id);
    expect(list.stdout).toContain('read operate');
    expect(list.stdout).not.toContain(stdout.slice(21, 40));
    expect((await sluice(['keys', 'revoke', id, '--yes'])).stdout).toContain('(dashboard) is revoked');
    // The second time, it says when the first was.
    const revoked = await json('keys', 'list', '--revoked');
    const at = (revoked['keys'] as { id: string; revoked_at: string }[]).find((key) => key.id === id)!.revoked_at;
    expect((await sluice(['keys', 'revoke', id, '--yes'])).stdout).toContain(`is revoked since ${at.slice(0, 19)}`);
    expect((await sluice(['keys', 'list'])).stdout).not.toContain(id);
    expect((await sluice(['keys', 'list', '--revoked'])).stdout).toMatch(new RegExp(`${id}[\\s\\S]*revoked 20`));
    expect((await sluice(['status'], undefined, { API_KEY: stdout.trim() })).stderr).toContain('unauthorized');
  });

  it('accepts a tenant, an end and limits', async () => {
    const made = await json(
      ...'keys create add-in --scope ingest --tenant acme --expires 90d'.split(' '),
      ...'--events-per-second 500 --requests-per-minute 0'.split(' '),
    );
    expect(made).toMatchObject({
      scopes: ['ingest'],
      tenant: 'acme',
      events_per_second: 500,
      requests_per_minute: 0,
      key: expect.stringMatching(/^slk_/) as string,
    });
    const days = (Date.parse(made['expires_at'] as string) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(90);
  });
});

describe('mistakes', () => {
  it.each([
    [['dead-letters', 'replay'], 2, /Give ids, a filter .* or --all/],
    [['dead-letters', 'replay', '--all'], 2, /give --yes/],
    [['dead-letters', 'replay', '1', '--reason', 'x'], 2, /not both/],
    [['dead-letters', 'discard', '--all'], 2, /--note/],
    [['dead-letters', 'show', 'x'], 2, /whole number/],
    [['dead-letters', 'show', '999999'], 1, /not_found/],
    [['dead-letters', 'list', '--since', 'yesterday'], 2, /ISO 8601/],
    [['dead-letters', 'list', '--limit', '5000'], 1, /limit/],
    [['dead-letters', 'list', '--limit', 'abc'], 2, /whole number/],
    [['dead-letters', 'list', '--state', 'foo'], 2, /dead, replaying, replayed, discarded, all/],
    [['dead-letters', 'replay', '1', '--rate', 'abc', '--dry-run'], 2, /whole number/],
    [['keys', 'create', 'x'], 2, /--scope/],
    [['keys', 'create', 'x', '--scope', 'root'], 2, /ingest, read, operate, admin/],
    [['keys', 'create', 'x', '--scope', 'read', '--expires', 'soon'], 2, /ISO 8601/],
    [['keys', 'create', 'x', '--scope', 'read', '--expires', '2020-01-01'], 1, /future/],
    [['keys', 'revoke', '0123456789abcdef'], 2, /give --yes/],
    [['keys', 'revoke', '0123456789abcdef', '--yes'], 1, /not_found/],
    [['frobnicate'], 2, /unknown command/],
    [['--key', 'wrong', 'status'], 1, /unauthorized.*API_KEY/],
    [['--url', 'http://127.0.0.1:1', 'status'], 3, /cannot be reached .*npx -y pnpm@12 start/],
  ] as [string[], number, RegExp][])('sluice %j ends with %i and says what to do', async (args, code, message) => {
    const result = await sluice(args);
    expect(result.stderr).toMatch(message);
    expect(result.code).toBe(code);
  });

  it('a payload that is not JSON, or is refused, is reported', async () => {
    const event = makeEvent({ eventType: 'Poison' });
    const [id] = await operations.seed(1, { event });
    expect(await sluice(['dead-letters', 'edit', id!, '--payload', '-'], '{')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('not JSON') as string,
    });
    const refused = await sluice(
      ['dead-letters', 'edit', id!, '--payload', '-'],
      JSON.stringify({ ...event, timestamp: 'soon' }),
    );
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('timestamp') as string });
  });
});

it('--help has examples for every command', async () => {
  for (const command of [
    'status',
    'dead-letters list',
    'dead-letters edit',
    'dead-letters replay',
    'dead-letters discard',
    'dead-letters export',
    'keys create',
    'keys list',
    'keys revoke',
  ]) {
    const { code, stdout } = await sluice([...command.split(' '), '--help']);
    expect(stdout, command).toContain(`sluice ${command}`);
    expect(code, command).toBe(0);
  }
  expect((await sluice(['--help'])).stdout).toContain('Exit codes: 0 ok');
});
