/**
 * Reads the workspace: each package with its folder, floor, dependencies and imports.
 * `node scripts/packages.ts` (`pnpm packages`) prints the graph, floor by floor.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '..');

/**
 * The floors, lowest first. A package may import only packages of lower floors, so there is no circle. Packages of one
 * floor do not import each other, so no daemon imports a daemon.
 */
export const FLOORS: readonly (readonly string[])[] = [
  ['errors'],
  ['daemon'],
  ['access'],
  ['events'],
  ['stream'],
  ['accept', 'jobs', 'store'],
  ['projections', 'exports'],
  ['ingest-api', 'writer-worker', 'maintenance-worker', 'query-api'],
];

/** Packages that are not part of a daemon, with Sluice's own packages that each may import. */
export const BESIDE_THE_FLOORS: Readonly<Record<string, readonly string[]>> = {
  // api-client and cli know the API by its document. They need `errors`, `events` and `daemon` for the version, JSON and
  // settings.
  'api-client': ['errors', 'events'],
  cli: ['api-client', 'daemon', 'errors', 'events'],
  'local-stack': ['daemon', 'errors', 'events'],
  testkit: ['accept', 'access', 'errors', 'exports', 'local-stack', 'projections', 'store', 'stream', 'events'],
  bench: ['daemon', 'errors', 'events', 'local-stack', 'store', 'stream', 'testkit'],
};

/** One import of one file. */
export interface Import {
  /** Relative to the root, as is every path here. */
  readonly file: string;
  readonly specifier: string;
}

export interface Package {
  readonly name: string;
  readonly folder: string;
  /** Sluice's own packages that it needs when it runs. */
  readonly needs: readonly string[];
  /** Everything else that it needs when it runs. */
  readonly libraries: readonly string[];
  /** Imports of its sources, those of types too. */
  readonly imports: readonly Import[];
}

const IMPORT =
  /^\s*(?:import|export)\b[^;'"]*?from\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;

/** Reads every package of the workspace that has sources. */
export function readPackages(root = ROOT): Package[] {
  return globSync('packages/{*,shared/*}/package.json', { cwd: root })
    .toSorted()
    .flatMap((manifest) => {
      const { name, dependencies = {} } = JSON.parse(readFileSync(resolve(root, manifest), 'utf8')) as {
        name: string;
        dependencies?: Record<string, string>;
      };
      const folder = dirname(manifest);
      const files = globSync(`${folder}/src/**/*.ts`, { cwd: root });
      if (files.length === 0) return [];
      const needs = Object.keys(dependencies);
      return {
        name: nameOf(name),
        folder,
        needs: needs.filter(isOwn).map(nameOf),
        libraries: needs.filter((each) => !isOwn(each)),
        imports: files.flatMap((file) => importsOf(file, root)),
      };
    });
}

/** Reads the imports of a file, also those of types and dynamic ones. */
export function importsOf(file: string, root = ROOT): Import[] {
  return [...readFileSync(resolve(root, file), 'utf8').matchAll(IMPORT)].map((match) => ({
    file: relative(root, resolve(root, file)),
    specifier: match[1] ?? match[2] ?? match[3] ?? '',
  }));
}

/** `@sluice/store/orm` and `@sluice/store` are `store`. */
export const nameOf = (specifier: string): string => specifier.replace(/^@sluice\//, '').split('/')[0]!;

export const isOwn = (specifier: string): boolean => specifier.startsWith('@sluice/');

if (import.meta.main) {
  const packages = new Map(readPackages().map((each) => [each.name, each]));
  const line = (name: string): string => `  ${name.padEnd(20)}${packages.get(name)?.needs.join(', ') || '-'}\n`;
  FLOORS.toReversed().forEach((floor, above) => {
    process.stdout.write(`floor ${FLOORS.length - 1 - above}\n${floor.map(line).join('')}`);
  });
  process.stdout.write(`beside the floors\n${Object.keys(BESIDE_THE_FLOORS).map(line).join('')}`);
}
