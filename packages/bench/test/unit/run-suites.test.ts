import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { parseBenchOptions } from '../../src/bench-options.ts';
import { runSuites } from '../../src/run-suites.ts';
import type { Suite } from '../../src/suites/suites.ts';

let folder: string;
let printed: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-bench-test-'));
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

function suite(name: string, find: () => object): Suite {
  return { name, description: '', run: async () => ({ text: `table of ${name}`, json: find() }) };
}

const FAILS = suite('fails', () => {
  throw new Error('no luck');
});

async function run(suites: readonly Suite[], args: readonly string[] = [], stop = new AbortController()) {
  const lines: string[] = [];
  const { options } = parseBenchOptions(['all', ...args], [])!;
  const out = join(folder, 'figures.json');
  const progress = { line: (text: string) => void lines.push(text), start: () => () => {}, stop: () => {} };
  const context = { path: undefined, progress, signal: stop.signal, forced: new AbortController().signal };
  return { wentWell: await runSuites(suites, options, context, { out, env: {} }), lines, out };
}

it('runs the others when one fails, and writes what they found', async () => {
  const one = suite('one', () => ({ figures: [1] }));
  const { wentWell, lines, out } = await run([FAILS, one, { ...FAILS, name: 'last' }]);
  expect(wentWell).toBe(false);
  expect(lines).toEqual(['error: fails: no luck', 'error: last: no luck', `figures: ${out}`]);
  expect(printed).toContain('## one\n');
  const written = JSON.parse(readFileSync(out, 'utf8')) as { suites: object; commit: string | null };
  expect(written.suites).toMatchObject({
    fails: { error: 'no luck' },
    one: { figures: [1] },
    last: { error: 'no luck' },
  });
  // The folder under test may not be a checkout.
  if (written.commit !== null) expect(written.commit).toMatch(/^[0-9a-f]{40}(\+changes)?$/);
});

it('leaves an older file alone when there are no figures', async () => {
  const { wentWell, lines } = await run([FAILS]);
  expect(wentWell).toBe(false);
  expect(lines).toEqual(['error: fails: no luck']);
  expect(readdirSync(folder)).toEqual([]);
});

it('begins nothing after a stop, and does not report what the stop made fail', async () => {
  const stop = new AbortController();
  const stopped = suite('stopped', () => {
    stop.abort();
    throw new Error('the connection ended');
  });
  const never = suite('never', () => ({}));
  const { lines } = await run([stopped, never], [], stop);
  expect(lines).toEqual([]);
  expect(printed).toBe('');
});

it.each([
  { args: ['--rounds', '4'], says: 'table of one\n- spreads of 4 of the usual 5 rounds say little\n' },
  { args: ['--quick'], says: 'table of one\n- quick: this shows that it works, and nothing about speed\n' },
  { args: [], says: 'table of one\n' },
])('says with $args what figures are worth', async ({ args, says }) => {
  await run([suite('one', () => ({}))], args);
  expect(printed.endsWith(says), printed).toBe(true);
});
