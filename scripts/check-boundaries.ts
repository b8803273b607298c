/**
 * Checks the boundaries that no linter knows:
 * 1. ingest-api reaches no database code, over however many imports: it must answer with Postgres down;
 * 2. only stream-producer puts entries on a stream (XADD);
 * 3. only settle-batch acknowledges or deletes them (XACK, XDEL);
 * 4. only unit-of-work flushes entities, and nobody lets MikroORM open a transaction (`begin`, `transactional`): its own
 *    loses a slot of the pool on a connection that broke (see transaction.ts).
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const problems: string[] = [];

const IMPORT =
  /^\s*(?:import|export)\b[^;'"]*?from\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;
const DATABASE_PACKAGES = /^(?:@mikro-database\/|kysely(?:\/|$)|pg(?:\/|$))/;

function importsOf(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

function resolveImport(specifier: string, from: string): string | null {
  if (specifier.startsWith('.')) return resolve(dirname(from), specifier);
  const own = /^@sluice\/([\w-]+)\/(.+)$/.exec(specifier);
  if (own !== null) {
    const contract = resolve(root, 'packages/shared', own[1]!);
    return resolve(existsSync(contract) ? contract : resolve(root, 'packages', own[1]!), 'src', `${own[2]!}.ts`);
  }
  return null;
}

/** Walks all that an entry file imports; says where a forbidden thing is reached, and over which files. */
function walk(file: string, trail: readonly string[], seen: Set<string>): void {
  if (seen.has(file) || file.endsWith('.json')) return;
  seen.add(file);
  const here = [...trail, relative(root, file)];
  for (const specifier of importsOf(file)) {
    if (DATABASE_PACKAGES.test(specifier)) problems.push(`${here.join(' > ')} imports ${specifier}`);
    const target = resolveImport(specifier, file);
    if (target === null) continue;
    if (target.includes('/packages/store/')) problems.push(`${here.join(' > ')} imports ${specifier}`);
    else walk(target, here, seen);
  }
}

function onlyIn(command: RegExp, allowed: string): void {
  for (const file of globSync('packages/{*,shared/*}/src/**/*.ts', { cwd: root })) {
    if (file === allowed) continue;
    readFileSync(resolve(root, file), 'utf8')
      .split('\n')
      .forEach((line, at) => {
        if (command.test(line) && !/^\s*(?:\*|\/\/|\/\*)/.test(line))
          problems.push(`${file}:${at + 1} must leave this to ${allowed}: ${line.trim()}`);
      });
  }
}

const reached = new Set<string>();
walk(resolve(root, 'packages/ingest-api/src/main.ts'), [], reached);
onlyIn(/\bxadd(?:Buffer)?\s*\(|['"]XADD['"]/i, 'packages/shared/stream/src/stream-producer.ts');
onlyIn(
  /\b(?:xack|xdel|xackdel)(?:Buffer)?\s*\(|['"](?:XACK|XDEL|XACKDEL)['"]/i,
  'packages/writer-worker/src/batch/settle-batch.ts',
);

// A repository would hand out the EntityManager with all that; `begin` alone is also what other things are called.
onlyIn(
  /\.(?:transactional|flush|getEntityManager)\s*\(|\b(?:em|entities|orm)\b.*\.begin\s*\(/,
  'packages/store/src/entities/unit-of-work.ts',
);

if (reached.size < 10) problems.push(`only ${reached.size} files were reached from ingest-api: this check is broken`);
if (problems.length > 0) {
  process.stderr.write(`Boundaries are crossed:\n${problems.map((problem) => `  ${problem}`).join('\n')}\n`);
  process.exitCode = 1;
} else {
  process.stdout.write(`Boundaries hold (${reached.size} files behind ingest-api).\n`);
}
