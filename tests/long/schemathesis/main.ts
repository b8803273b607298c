/**
 * Sends what the OpenAPI documents of both APIs allow, and what they do not allow, to a stack that runs open and to one
 * with keys: examples, edge values, random requests, and sequences that use what earlier answers have given. Fails at
 * a 5xx, at a status or a media type that the document does not have, and at an answer that its schema forbids.
 *
 *     npx -y pnpm@12 test:long schemathesis
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installWithPip } from '@sluice/testkit/install-with-pip';
import { API_KEY, startFilledStack } from './start-filled-stack.ts';

/** Requests for each operation and phase, at most. */
const EXAMPLES = { short: 8, full: 150 };
/** The same requests in each run; the full form also takes another seed, to find what this one does not. */
const SEED = 20_261_129;

/** Never sent to the query API: answers without an end have their own tests, and the last would connect to other hosts. */
const LEFT_OUT = ['/api/events/stream', '/api/dead-letters/replays/{id}/progress', '/export/config/test'];

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
];

const { values } = parseArgs({
  options: { short: { type: 'boolean', default: false }, seed: { type: 'string', default: String(SEED) } },
});
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

const announce = (line: string) => process.stdout.write(`${line}\n`);
const environment = await installWithPip({
  name: 'schemathesis',
  python: '3.10',
  lockedIn: import.meta.dirname,
  env: process.env,
  announce,
});
const program = join(environment, 'bin', 'schemathesis');
const failed: string[] = [];
for (const keyed of [false, true]) {
  const name = keyed ? 'with keys' : 'open';
  process.stdout.write(`\nA stack that runs ${name}\n`);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-schemathesis-'));
  const stack = await startFilledStack(folder, keyed, stopping.signal);
  try {
    for (const [api, url] of Object.entries(stack.urls)) {
      if (stopping.signal.aborted) break;
      const leftOut = api === 'query-api' ? LEFT_OUT : [];
      if (!(await passes(url, keyed, leftOut))) failed.push(`${api} ${name}`);
    }
  } finally {
    await stack.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
if (stopping.signal.aborted) process.exit(130);
if (failed.length > 0) process.stderr.write(`Schemathesis found something: ${failed.join(', ')}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** Runs Schemathesis against one API; its report goes to the terminal. */
async function passes(url: string, keyed: boolean, leftOut: readonly string[]): Promise<boolean> {
  const examples = values.short ? EXAMPLES.short : EXAMPLES.full;
  const checks = [...CHECKS, ...(keyed ? ['ignored_auth'] : [])];
  const args = [
    'run',
    `${url}/docs/json`,
    '--url',
    url,
    '--seed',
    values.seed,
    '--max-examples',
    String(examples),
  ].concat(
    ['--checks', checks.join(','), '--continue-on-failure', '--request-timeout', '60'],
    ['--generation-database', 'none', '--no-color'],
    leftOut.flatMap((path) => ['--exclude-path', path]),
    keyed ? ['--header', `X-API-Key: ${API_KEY}`] : [],
  );
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'], cwd: tmpdir() });
  stopping.signal.addEventListener('abort', () => child.kill('SIGINT'));
  const [code] = (await once(child, 'close')) as [number | null];
  return code === 0;
}
