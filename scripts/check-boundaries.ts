/**
 * Checks the boundaries that no linter knows:
 * 1. a package imports only packages of lower floors, and of these only what they export;
 * 2. ingest-api reaches no database, by the package.json files alone: it must answer with Postgres down;
 * 3. only stream-producer puts entries on a stream (XADD);
 * 4. only settle-batch acknowledges or deletes them (XACK, XDEL);
 * 5. only unit-of-work flushes entities, and no code lets MikroORM open a transaction (`begin`, `transactional`): its own
 *    loses a slot of the pool on a connection that broke (see transaction.ts).
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { BESIDE_THE_FLOORS, FLOORS, importsOf, isOwn, nameOf, type Package, readPackages, ROOT } from './packages.ts';

const DATABASE_LIBRARY = /^(?:@mikro-orm\/|kysely$|pg$)/;
const problems: string[] = [];
const packages = new Map(readPackages().map((each) => [each.name, each]));

for (const each of packages.values()) checkFloors(each);
for (const file of globSync('{tests,scripts}/**/*.ts', { cwd: ROOT })) checkRelative('.', importsOf(file));
for (const { folder } of packages.values()) {
  for (const file of globSync(`${folder}/{test,scripts,peers}/**/*.ts`, { cwd: ROOT }))
    checkRelative(folder, importsOf(file));
}
const reachedByIngest = everythingReachedBy('ingest-api');

onlyIn(/\bxadd(?:Buffer)?\s*\(|['"]XADD['"]/i, 'packages/shared/stream/src/stream-producer.ts');
onlyIn(
  /\b(?:xack|xdel|xackdel)(?:Buffer)?\s*\(|['"](?:XACK|XDEL|XACKDEL)['"]/i,
  'packages/writer-worker/src/batch/settle-batch.ts',
);

// A repository would expose the EntityManager with these methods. Other objects also have `begin` and `flush`.
onlyIn(
  /\.(?:transactional|getEntityManager)\s*\(|\b(?:em|entities|fork|manager|orm)\b.*\.(?:begin|flush)\s*\(/,
  'packages/store/src/entities/unit-of-work.ts',
);

if (problems.length > 0) {
  process.stderr.write(`Boundaries are crossed:\n${problems.map((problem) => `  ${problem}`).join('\n')}\n`);
  process.exitCode = 1;
} else {
  process.stdout.write(
    `Boundaries hold (${packages.size} packages, ${reachedByIngest.size} of them reached by ingest-api).\n`,
  );
}

/** Packages that one may import: those of lower floors, or for a package on no floor those of the table. */
function allowedFor(name: string): readonly string[] | null {
  const floor = FLOORS.findIndex((names) => names.includes(name));
  return floor === -1 ? (BESIDE_THE_FLOORS[name] ?? null) : FLOORS.slice(0, floor).flat();
}

function checkFloors({ name, folder, needs, imports }: Package): void {
  const allowed = allowedFor(name);
  if (allowed === null) {
    problems.push(`${folder} is on no floor: add ${name} to scripts/packages.ts`);
    return;
  }
  for (const need of needs) {
    if (!allowed.includes(need)) problems.push(`${folder}/package.json needs ${need}, which is not below ${name}`);
  }
  for (const { file, specifier } of imports) {
    if (isOwn(specifier) && !needs.includes(nameOf(specifier)))
      problems.push(`${file} imports ${specifier}, which its package.json does not have among its dependencies`);
  }
  checkRelative(folder, imports);
}

/** Finds relative paths that leave their package: they bypass the other package's `exports`. */
function checkRelative(folder: string, imports: Package['imports']): void {
  for (const { file, specifier } of imports) {
    if (!specifier.startsWith('.')) continue;
    const target = resolve(ROOT, dirname(file), specifier);
    const home = folder === '.' ? ROOT : resolve(ROOT, folder);
    const left = folder === '.' ? target.startsWith(resolve(ROOT, 'packages')) : !target.startsWith(`${home}/`);
    if (left) problems.push(`${file} imports ${specifier}: other packages are known by what they export`);
  }
}

/** Finds all packages that one needs, directly or not. A database among their libraries is a problem. */
function everythingReachedBy(start: string): Set<string> {
  const reached = new Set([start]);
  for (const name of reached) {
    const found = packages.get(name);
    if (found === undefined) throw new Error(`there is no package ${name}: this check is broken`);
    for (const library of found.libraries.filter((each) => DATABASE_LIBRARY.test(each)))
      problems.push(`${found.folder}/package.json has ${library}, and ${start} needs ${name}`);
    for (const need of found.needs) reached.add(need);
  }
  return reached;
}

/** Proves that only this file does what the pattern finds; comments may mention it. */
function onlyIn(command: RegExp, allowed: string): void {
  let allowedDoes = false;
  for (const file of globSync('packages/{*,shared/*}/src/**/*.ts', { cwd: ROOT })) {
    readFileSync(resolve(ROOT, file), 'utf8')
      .split('\n')
      .forEach((line, at) => {
        if (!command.test(line) || /^\s*(?:\*|\/\/|\/\*)/.test(line)) return;
        if (file === allowed) allowedDoes = true;
        else problems.push(`${file}:${at + 1} must leave this to ${allowed}: ${line.trim()}`);
      });
  }
  if (!allowedDoes) problems.push(`${allowed} does not do what only it may do: this check is broken`);
}
