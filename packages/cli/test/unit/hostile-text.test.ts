import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '@sluice/testkit/run-command';
import { loadCommands } from '../../src/load-commands.ts';
import { type FakeApi, sendJson, type SeenRequest, startFakeApi } from '../fixtures/fake-api.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');

/** Text of a client: it sets the title, clears the screen, writes to the clipboard, turns the writing round, and hides. */
const HOSTILE =
  'x\u001b]0;title\u0007\u001b[2J\u001b]52;c;aGk=\u0007\u001b]8;;http://e\u001b\\\u009b31m\u0085\u202e\u2066\u200b\u2028\r\nFORGED y';
// oxlint-disable-next-line no-control-regex -- the test searches for these
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/u;

const UUID = '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11';
const TIME = '2026-11-29T09:30:00.000Z';
const LETTER = {
  id: HOSTILE,
  tenant: HOSTILE,
  event_id: HOSTILE,
  event_type: HOSTILE,
  source: HOSTILE,
  reason: HOSTILE,
  sqlstate: HOSTILE,
  message: HOSTILE,
  state: 'dead',
  attempts: 1,
  trace_id: HOSTILE,
  first_failed_at: TIME,
  detail: HOSTILE,
  payload: { [HOSTILE]: HOSTILE },
  original_payload: [HOSTILE],
  origin: { client: HOSTILE },
  history: [{ message: HOSTILE }],
  replays: [HOSTILE],
  version: HOSTILE,
};
const REPLAY = {
  id: UUID,
  state: 'succeeded',
  matched: 1,
  replayed: 0,
  failed: 1,
  skipped: 0,
  rate: 1,
  error: HOSTILE,
};
const RUN = {
  id: UUID,
  tenant: HOSTILE,
  state: 'failed',
  trigger: HOSTILE,
  format: HOSTILE,
  created_at: TIME,
  rows_done: 1,
  rows_expected: 1,
  bytes_done: 1,
  manifest_key: HOSTILE,
  error: HOSTILE,
  error_code: HOSTILE,
  destination: {
    kind: 's3',
    bucket: HOSTILE,
    prefix: HOSTILE,
  },
  files: [
    {
      key: HOSTILE,
      sha256: HOSTILE,
    },
  ],
};
const CONFIG = {
  tenant: HOSTILE,
  source: 'tenant',
  enabled: true,
  schedule: {
    cron: HOSTILE,
    time_zone: HOSTILE,
  },
  next_run_at: HOSTILE,
  format: HOSTILE,
  compression: HOSTILE,
  backup: null,
  paused: {
    reason: HOSTILE,
    code: HOSTILE,
    since: TIME,
  },
  destination: {
    kind: 's3',
    bucket: HOSTILE,
    prefix: HOSTILE,
    endpoint: HOSTILE,
    credentials: {
      set: true,
      access_key_id: HOSTILE,
      problem: HOSTILE,
    },
  },
};
const KEY = {
  id: HOSTILE,
  name: HOSTILE,
  scopes: [HOSTILE],
  tenant: HOSTILE,
  created_at: TIME,
  last_used_at: HOSTILE,
  expires_at: HOSTILE,
  revoked_at: HOSTILE,
  key: HOSTILE,
};
const JOB_RUN = {
  id: UUID,
  job: HOSTILE,
  state: 'failed',
  requested_by: HOSTILE,
  rows: 1,
  rows_expected: null,
  duration_ms: 1,
  created_at: TIME,
  error: HOSTILE,
  details: { [HOSTILE]: HOSTILE },
};
const RETENTION = { tenant: HOSTILE, days: 7, updated_at: TIME, updated_by: HOSTILE };
const COUNTS = {
  entries: { added: 1, settled: 0, waiting: 1, orphaned: 0, drift: 0 },
  events: { settled: 0, stored: 0, duplicate: 0, dead: 0, drift: 0 },
};

/** The answer to every request, by its method and path. */
const ANSWERS: Readonly<Record<string, unknown>> = {
  'GET /api/queue': {
    shards: [
      {
        shard: HOSTILE,
        length: 1,
        bytes: 1,
        pending: 1,
        lag: HOSTILE,
        oldest_age_seconds: 1,
        consumers: [
          {
            name: HOSTILE,
            pending: 1,
            idle_ms: 1,
          },
        ],
        conservation: COUNTS,
      },
    ],
    consumers: [{ name: HOSTILE, shards: [0], stalled: { since: TIME, code: HOSTILE, message: HOSTILE, entries: 1 } }],
    totals: { length: 1, bytes: 1, pending: 1 },
    conservation: COUNTS,
    drain_rate_per_second: 0,
    seconds_to_empty: null,
  },
  'GET /api/daemons': {
    daemons: [
      {
        daemon: HOSTILE,
        instance: HOSTILE,
        version: HOSTILE,
        started_at: TIME,
        reported_at: TIME,
        status: 'unhealthy',
        ready: false,
        checks: { [HOSTILE]: { status: 'failed', message: HOSTILE, since: TIME } },
      },
    ],
  },
  'GET /api/queue/stalled': { stalled: [{ id: HOSTILE, code: HOSTILE, message: HOSTILE }] },
  'POST /api/queue/set-aside': { set_aside: [HOSTILE] },
  'GET /api/dead-letters': { dead_letters: [LETTER], next_cursor: HOSTILE },
  'GET /api/dead-letters/summary': { groups: [{ reason: HOSTILE, event_type: HOSTILE, hour: HOSTILE, count: 1 }] },
  'GET /api/dead-letters/42': LETTER,
  'PATCH /api/dead-letters/42': LETTER,
  'POST /api/dead-letters/discards': { discarded: 1 },
  'POST /api/dead-letters/replays': {
    ...REPLAY,
    tried: 1,
    would_store: 0,
    would_duplicate: 1,
    would_fail: [
      {
        id: HOSTILE,
        reason: HOSTILE,
        message: HOSTILE,
      },
    ],
  },
  'GET /api/events/recent': { events: [] },
  'POST /export/run': RUN,
  [`GET /export/runs/${UUID}`]: RUN,
  'GET /export/runs': { runs: [RUN], next_cursor: HOSTILE },
  'GET /export/status': {
    tenants: [
      {
        ...CONFIG,
        lag_seconds: 1,
        totals: {
          rows: 1,
          bytes: 1,
        },
        last_run: {
          state: HOSTILE,
          created_at: TIME,
        },
      },
    ],
  },
  [`POST /export/runs/${UUID}/verify`]: {
    id: UUID,
    run_id: UUID,
    state: 'succeeded',
    ok: false,
    problems: [HOSTILE],
    error: HOSTILE,
    rows_done: 1,
  },
  [`POST /export/runs/${UUID}/retry`]: RUN,
  [`POST /export/runs/${UUID}/cancel`]: RUN,
  'GET /export/config': CONFIG,
  'PUT /export/config': CONFIG,
  'POST /export/config/test': { ok: false, destination: { ok: false, message: HOSTILE, code: HOSTILE }, backup: null },
  'GET /api/jobs': {
    jobs: [
      {
        name: HOSTILE,
        schedule: { cron: HOSTILE },
        next_run_at: HOSTILE,
        stale: true,
        description: HOSTILE,
        last_run: {
          state: HOSTILE,
          created_at: HOSTILE,
        },
      },
    ],
  },
  'POST /api/jobs/fold-rollups/runs': JOB_RUN,
  'GET /api/jobs/runs': { runs: [JOB_RUN], next_cursor: HOSTILE },
  'POST /api/keys': KEY,
  'GET /api/keys': { keys: [KEY], next_cursor: HOSTILE },
  'DELETE /api/keys/0123456789abcdef': KEY,
  'GET /api/retention': { retention: [RETENTION], next_cursor: HOSTILE },
  'GET /api/retention/acme': RETENTION,
  'PUT /api/retention/acme': RETENTION,
  'DELETE /api/retention/acme': RETENTION,
};

/** Every command, as it is typed; those that ask are told --yes. */
const COMMANDS: readonly (readonly string[])[] = [
  ['status'],
  ['queue', 'set-aside', '--note', 'x', '--yes'],
  ['dead-letters', 'list'],
  ['dead-letters', 'list', '--summary'],
  ['dead-letters', 'show', '42'],
  ['dead-letters', 'edit', '42', '--payload', '-'],
  ['dead-letters', 'replay', '42', '--yes'],
  ['dead-letters', 'replay', '42', '--dry-run'],
  ['dead-letters', 'replay', '--all', '--yes', '--no-wait'],
  ['dead-letters', 'discard', '42', '--note', 'x', '--yes'],
  ['dead-letters', 'export'],
  ['exports', 'run'],
  ['exports', 'status'],
  ['exports', 'list'],
  ['exports', 'show', UUID],
  ['exports', 'verify', UUID],
  ['exports', 'retry', UUID],
  ['exports', 'cancel', UUID],
  ['exports', 'config', 'show'],
  ['exports', 'config', 'set', '--enable'],
  ['exports', 'config', 'test'],
  ['jobs', 'list'],
  ['jobs', 'run', 'fold-rollups'],
  ['jobs', 'history'],
  ['keys', 'create', 'x', '--scope', 'read'],
  ['keys', 'list'],
  ['keys', 'revoke', '0123456789abcdef', '--yes'],
  ['retention', 'list'],
  ['retention', 'set', 'acme', '7', '--yes'],
  ['retention', 'clear', 'acme', '--yes'],
];

/** How the fake API answers: as above, or with an error whose message, or whose page, is hostile. */
let mode: 'answers' | 'refuses' | 'breaks' = 'answers';

function answer({ method, path }: SeenRequest, response: ServerResponse): void {
  if (mode === 'refuses') {
    sendJson(response, 400, { error: { code: HOSTILE, message: HOSTILE, request_id: HOSTILE } });
  } else if (mode === 'breaks') {
    response.writeHead(200, { 'content-type': 'text/html' }).end(HOSTILE);
  } else if (path.endsWith('/progress')) {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${JSON.stringify(REPLAY)}\n\n`);
  } else if (response.req.headers.accept === 'application/x-ndjson') {
    response.writeHead(200).end(`${JSON.stringify(LETTER)}\n`);
  } else {
    const body = ANSWERS[`${method} ${path}`];
    if (body === undefined) throw new Error(`no answer to ${method} ${path}`);
    sendJson(response, 200, body);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-hostile-'));
let api: FakeApi;
beforeAll(async () => {
  api = await startFakeApi(answer);
});
afterAll(async () => {
  await api.close();
  rmSync(folder, { recursive: true, force: true });
});

async function sluice(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const { stdout, stderr } = await runCommand(MAIN, args, {
    cwd: folder,
    env: { QUERY_URL: api.url },
    input: '{}',
  });
  return { stdout, stderr };
}

function expectHarmless(text: string): void {
  expect(OBEYED.exec(text)?.[0].codePointAt(0)?.toString(16), text).toBeUndefined();
  expect(text).not.toMatch(/^\s*FORGED/m);
}

it('the table below has every command', async () => {
  const names = new Set<string>();
  const addFrom = (command: Command, before: string): void => {
    for (const each of command.commands) {
      const name = `${before}${each.name()}`;
      if (each.commands.length === 0) names.add(name);
      addFrom(each, `${name} `);
    }
  };
  const groups = new Command();
  await loadCommands(groups, () => {
    throw new Error('not run');
  }, []);
  for (const { name } of groups.commands.map((each) => ({ name: each.name() }))) {
    const program = new Command();
    await loadCommands(program, () => {
      throw new Error('not run');
    }, [name]);
    addFrom(program, '');
  }
  for (const { name } of groups.commands.map((each) => ({ name: each.name() })))
    if (name !== 'status') names.delete(name);
  expect(names.size).toBeGreaterThan(25);
  for (const name of names)
    expect(
      COMMANDS.some((args) => `${args.join(' ')} `.startsWith(`${name} `)),
      name,
    ).toBe(true);
});

describe('nothing that a client sent controls the terminal', () => {
  it.each(COMMANDS.map((args) => [args.join(' '), args] as const))('%s', async (_name, args) => {
    mode = 'answers';
    const { stdout, stderr } = await sluice(...args);
    expectHarmless(stdout);
    expectHarmless(stderr);
    // What is shown is shown, and nothing has failed before it.
    expect(stdout).not.toBe('');
    expect(stderr).not.toMatch(/at .*\.ts:\d/);
  });

  it.each(['status', 'dead-letters show 42', 'jobs history', 'dead-letters export'])(
    '--json %s is the same JSON, with escapes',
    async (command) => {
      mode = 'answers';
      const { stdout } = await sluice('--json', ...command.split(' '));
      expectHarmless(stdout);
      expect(JSON.stringify(JSON.parse(stdout))).toContain(JSON.stringify(HOSTILE).slice(1, -1));
    },
  );

  it.each(['refuses', 'breaks'] as const)('an API that %s', async (how) => {
    mode = how;
    for (const command of ['status', 'dead-letters replay 42 --yes', 'exports config show']) {
      const { stdout, stderr } = await sluice(...command.split(' '));
      expectHarmless(stdout + stderr);
      expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    }
  });
});
