import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Mutant, MUTANTS } from './mutants.ts';
import type { FaultRow } from './report.ts';

// Proves that the harness can fail. It makes one mistake at a time in a copy of the sources, runs the fault that must
// find it, and expects its violation. `node tests/faults/find-mutants.ts [part of a name]`

const REPOSITORY = resolve(import.meta.dirname, '../..');
/** Where a kill hits is random, so a mistake gets this many seeds to be found. */
const SEEDS = [1, 2, 3];

const wanted = process.argv[2] ?? '';
let missed = 0;
for (const mutant of MUTANTS.filter(({ name }) => name.includes(wanted))) {
  const found = await find(mutant);
  if (found === null) missed += 1;
  process.stdout.write(`${found === null ? 'MISSED' : 'found '}  ${mutant.name} (${mutant.fault})\n`);
  if (found !== null) process.stdout.write(`        ${found}\n`);
}
process.exit(missed === 0 ? 0 : 1);

/** Returns the violation that the fault's run reports; null when it does not notice the mistake. */
async function find(mutant: Mutant): Promise<string | null> {
  const copy = await mkdtemp(join(tmpdir(), 'sluice-mutant-'));
  try {
    await copySources(copy);
    await mutate(join(copy, mutant.file), mutant);
    for (const seed of SEEDS) {
      const rows = await runFaultIn(copy, mutant.fault, seed);
      const violation = rows.flatMap((row) => row.violations).find(({ what }) => mutant.finds.test(what));
      if (violation !== undefined) return `seed ${violation.seed}: ${violation.what}`;
    }
    return null;
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** Copies packages and tests; links to what is installed, because nothing changes it. */
async function copySources(to: string): Promise<void> {
  for (const name of ['packages', 'tests', 'package.json']) {
    await cp(join(REPOSITORY, name), join(to, name), { recursive: true, verbatimSymlinks: true });
  }
  await symlink(join(REPOSITORY, 'node_modules'), join(to, 'node_modules'));
}

async function mutate(path: string, { name, from, to }: Mutant): Promise<void> {
  const source = await readFile(path, 'utf8');
  if (source.split(from).length !== 2) throw new Error(`${name}: ${path} does not hold this once: ${from}`);
  await writeFile(
    path,
    source.replace(from, () => to),
  );
}

async function runFaultIn(folder: string, fault: string, seed: number): Promise<FaultRow[]> {
  const child = spawn(
    process.execPath,
    [join(folder, 'tests/faults/main.ts'), '--only', fault, '--seed', String(seed), '--json'],
    // Logs of a failed run are removed with the copy.
    { cwd: folder, env: { ...process.env, TMPDIR: folder }, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  await once(child, 'close');
  return JSON.parse(output) as FaultRow[];
}
