import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandResult, runCommand } from '@sluice/testkit/run-command';
import type { figureJson } from '../src/figure.ts';
import { SUITES } from '../src/suites/suites.ts';

/** For a suite that hangs, not a slow one. */
const HOOK_TIMEOUT_MS = 1_800_000;

const MAIN = resolve(import.meta.dirname, '../src/main.ts');

interface Output {
  suites: Record<string, { figures: Partial<ReturnType<typeof figureJson>>[]; notes: string[] }>;
}

/** What one would build instead, with the start of the note that one is left out. */
const PEERS = [
  { name: 'Fastify + insertMany', leftOut: null },
  { name: 'Fastify + BullMQ', leftOut: null },
  { name: 'Fastify + graphile-worker', leftOut: 'left out: the peer with graphile-worker, because ' },
  ...['ORM', 'Core', 'ORM, 2 processes', 'Core, 2 processes'].map((how) => ({
    name: `FastAPI + SQLAlchemy ${how}`,
    leftOut: 'left out: the peers with FastAPI, because ',
  })),
];

describe('every suite, with small numbers', () => {
  let folder: string;
  let runs: Map<string, CommandResult>;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-bench-test-'));
    runs = new Map();
    // One after the other: each has its own servers and load, which are too much for two cores all at once.
    for (const { name } of SUITES) {
      const args = [name, '--quick', '--out', `${name}.json`, '--svg', 'charts'];
      runs.set(name, await runCommand(MAIN, args, { cwd: folder, env: { INIT_CWD: folder } }));
    }
  }, HOOK_TIMEOUT_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(SUITES.map(({ name }) => name))('%s runs to its end', (name) => {
    const { code, stdout, stderr } = runs.get(name)!;
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`## ${name}\n`);
    expect(stdout).toMatch(/^\| -+ \|/m);
    expect(stdout).not.toMatch(/ (met|missed) +\|/);
  });

  it.each(SUITES.map(({ name }) => name).filter((name) => name !== 'query'))(
    '%s finds figures of itself and of what it is compared with',
    (name) => {
      const output = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Output;
      const { figures } = output.suites[name]!;
      expect(figures.length).toBeGreaterThan(0);
      for (const { name: figure, ours, theirs, against, ratio } of figures) {
        expect(ours, figure).toHaveLength(1);
        expect(theirs, figure).toHaveLength(against === null ? 0 : 1);
        for (const value of [...ours!, ...theirs!, ...(against === null ? [] : [ratio!])]) {
          expect(value, figure).toBeGreaterThan(0);
        }
      }
    },
  );

  it.each(['end-to-end', 'ingest'])('%s is beside every peer, or says which it left out', (name) => {
    const output = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Output;
    const { figures, notes } = output.suites[name]!;
    const found = new Set(figures.map(({ against }) => against));
    for (const peer of PEERS) {
      // With CI=true nothing may be left out because a program is missing.
      const noteOf = process.env['CI'] === 'true' ? null : peer.leftOut;
      const isLeftOut = noteOf !== null && notes.some((note) => note.startsWith(noteOf));
      expect(found.has(peer.name) || isLeftOut, `${peer.name}; notes: ${notes.join('; ')}`).toBe(true);
    }
  });

  it('writer shows larger transactions beside the default', () => {
    const output = JSON.parse(readFileSync(join(folder, 'writer.json'), 'utf8')) as Output;
    const { figures } = output.suites['writer']!;
    for (const figure of ['one writer, one transaction', 'one writer, 3 transactions']) {
      const { variants = [] } = figures.find(({ name }) => name === figure)!;
      const names = ['transactions of 1,000', 'transactions of 2,000', 'transactions of 5,000'];
      expect(variants.map(({ name }) => name)).toEqual(names);
      for (const { name, median, ratio } of variants) {
        expect(median, name).toBeGreaterThan(0);
        expect(ratio, name).toBeGreaterThan(0);
      }
    }
  });

  it('query finds how long answers need', () => {
    const output = JSON.parse(readFileSync(join(folder, 'query.json'), 'utf8')) as {
      suites: { query: { figures: { question: string; p95: number }[] } };
    };
    const { figures } = output.suites.query;
    expect(figures.length).toBeGreaterThan(0);
    for (const { question, p95 } of figures) expect(p95, question).toBeGreaterThan(0);
  });

  it('growth draws its charts', () => {
    expect(readdirSync(join(folder, 'charts')).toSorted()).toEqual([
      'growth-batch-size-p99.svg',
      'growth-batch-size.svg',
      'growth-connections-p99.svg',
      'growth-connections.svg',
      'growth-stored-rows-p99.svg',
      'growth-stored-rows.svg',
    ]);
    for (const file of readdirSync(join(folder, 'charts'))) {
      expect(readFileSync(join(folder, 'charts', file), 'utf8'), file).toMatch(
        /^<svg [^>]+>[^]*<polyline [^]*<\/svg>\n$/,
      );
    }
  });
});

it('an unknown suite is an error of use', async () => {
  const { code, stderr } = await runCommand(MAIN, ['everything'], { cwd: tmpdir() });
  expect(code).toBe(2);
  expect(stderr).toContain('there is no benchmark "everything"');
});
