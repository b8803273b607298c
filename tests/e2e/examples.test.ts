import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { createContext, runInContext } from 'node:vm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Operations, startOperations } from '@sluice/testkit/operations';

const EXAMPLES = resolve(import.meta.dirname, '../../examples');
const KEY = 'the-key-of-the-examples';
let operations: Operations;

beforeAll(async () => {
  operations = await startOperations({ API_KEY: KEY });
  await operations.pipeline.startWriter('writer-1');
});
afterAll(() => operations.stop());

/** Runs an example as a person would: as a program, or with Node. */
async function run(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, {
    // Not in the checkout: an example needs nothing of it.
    cwd: tmpdir(),
    env: {
      PATH: process.env['PATH'],
      INGEST_URL: operations.pipeline.ingest.url,
      QUERY_URL: operations.query.url,
      API_KEY: KEY,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  expect(code, stderr).toBe(0);
  return stdout;
}

const node = (file: string, ...args: string[]): Promise<string> =>
  run(process.execPath, [join(EXAMPLES, file), ...args]);
const stored = (where: string): Promise<{ payload: Record<string, unknown> }[]> =>
  operations.pipeline.database.query(`SELECT * FROM events WHERE ${where}`);

/** Each file of examples/, with what must be visible after it has run. */
const TRIED: Record<string, () => Promise<void>> = {
  'send-and-read.sh': async () => {
    const event = JSON.parse(await run(join(EXAMPLES, 'send-and-read.sh'), [])) as Record<string, unknown>;
    expect(event).toMatchObject({ eventType: 'CellChange', userName: 'ada', oldValue: '41', newValue: '42' });
    expect(await stored(`event_id = '${event['eventId'] as string}'`)).toHaveLength(1);
  },

  'send-from-node.mjs': async () => {
    expect(await node('send-from-node.mjs', 'grace')).toMatch(/^10 accepted \(\w+\), 0 rejected\n$/);
    await operations.pipeline.drained();
    expect(await stored("actor = 'grace'")).toHaveLength(10);
  },

  'read-back.mjs': async () => {
    await node('send-from-node.mjs', 'joan');
    await operations.pipeline.drained();
    const lines = (await node('read-back.mjs', 'joan')).trimEnd().split('\n');
    const values = lines.map((line) => (JSON.parse(line) as { newValue: string }).newValue);
    expect(values).toEqual(['9', '8', '7', '6', '5', '4', '3', '2', '1', '0']);
  },

  'page.html': async () => {
    const answers: Promise<Response>[] = [];
    const listeners = new Map<string, () => void>();
    // The part of a browser that the page's script needs. A beacon sends a string as text/plain.
    const browser = createContext({
      URLSearchParams,
      crypto,
      location: { search: `?ingest=${encodeURIComponent(operations.pipeline.ingest.url)}`, pathname: '/docs/start' },
      document: { title: 'Start' },
      addEventListener: (name: string, listener: () => void) => listeners.set(name, listener),
      navigator: { sendBeacon: (url: string, body: string) => answers.push(fetch(url, { method: 'POST', body })) },
    });
    const [, script] = /<script>([\s\S]*)<\/script>/.exec(readFileSync(join(EXAMPLES, 'page.html'), 'utf8'))!;
    runInContext(script!, browser);
    listeners.get('pagehide')!();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([202, 202]);
    await operations.pipeline.drained();
    const rows = await stored("resource = '/docs/start'");
    expect(rows.map((row) => (row as unknown as { event_type: string }).event_type).toSorted()).toEqual([
      'page_leave',
      'page_view',
    ]);
    expect(rows[0]!.payload).toMatchObject({ siteId: 'example', title: 'Start' });
  },
};

it.each(Object.entries(TRIED))('%s', (_file, expectTried) => expectTried());

it('each example is tried', () => {
  const files = readdirSync(EXAMPLES).filter((file) => file !== 'README.md');
  expect(Object.keys(TRIED).toSorted()).toEqual(files.toSorted());
  const readme = readFileSync(join(EXAMPLES, 'README.md'), 'utf8');
  for (const file of files) expect(readme).toContain(`\`${file}\``);
});
