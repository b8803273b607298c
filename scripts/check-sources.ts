/**
 * Checks that only adapters know a source. Outside of packages/shared/events/src/adapters/ no code compares a source by
 * its name or an adapter by its identity, and production code names no source at all. Code that needs to know what
 * differs between sources asks the adapter.
 */
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ADAPTERS } from '@sluice/events/adapters/registry';

const root = resolve(import.meta.dirname, '..');
const SOURCES = ADAPTERS.map(({ source }) => source).join('|');
const CONSTANTS = ADAPTERS.map(({ source }) => source.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()));

const NAME = `['"\`](?:${SOURCES})['"\`]`;
const ADAPTER = `\\b(?:${CONSTANTS.join('|')})(?:\\.source)?\\b`;
const EQUALS = '\\s*[!=]==?\\s*';

const COMPARISONS = [
  // source === 'web-collection', either way round; adapter === webCollection
  new RegExp(`${EQUALS}${NAME}|${NAME}${EQUALS}|${EQUALS}${ADAPTER}|${ADAPTER}${EQUALS}`),
  new RegExp(`\\bcase\\s+(?:${NAME}|${ADAPTER})`),
  // lists and tables by name
  new RegExp(
    `\\[[^\\]]*${NAME}[^\\]]*\\]\\s*\\.(?:includes|indexOf)|new (?:Set|Map)\\(\\[+[^\\]]*${NAME}|[{,]\\s*${NAME}\\s*:`,
  ),
];

const WRITES_A_NAME = new RegExp(NAME);
/** These packages make data of a source for benchmarks and tests. */
const MAKES_DATA = /^packages\/(?:bench|testkit)\//;

/** Finds problems in a file's text, each with its line number. */
function problemsIn(file: string, text: string): string[] {
  // Comments may name sources. They become blanks, so that line numbers stay right.
  const code = text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|\s)\/\/.*$/gm, '$1');
  const patterns = MAKES_DATA.test(file) ? COMPARISONS : [...COMPARISONS, WRITES_A_NAME];
  return patterns.flatMap((pattern) => {
    const found = pattern.exec(code);
    if (found === null) return [];
    const line = code.slice(0, found.index).split('\n').length;
    return [`${file}:${line} knows a source by its name: ${text.split('\n')[line - 1]!.trim()}`];
  });
}

/** Samples that the check must find; they prove that it works. */
const KNOWING = [
  `const web = header.source !== "web-collection";`,
  `if ('web-collection' === name) return;`,
  `const limit = row.source\n  === 'web-collection' ? 1 : 2;`,
  `switch (header.source) {\n  case 'governance-tracker':`,
  `case webCollection.source:`,
  `if (adapter === governanceTracker) return;`,
  `if (webCollection.source == name) return;`,
  `if (['web-collection', other].includes(name)) return;`,
  `const PAGES = new Set(['web-collection']);`,
  `const LIMITS = { 'web-collection': 1 };`,
];
const INNOCENT = [
  `if (source === null || letter.source === undefined || one.source === other.source) return null;`,
  `const adapter = source === null ? undefined : adapterBySource(source);`,
  `// never source === 'web-collection'`,
  `metrics.accepted({ source: batch.adapter.source, events });`,
  `const event = governanceTracker.project(JSON.parse(text), origin);`,
  `const row = { source: 'governance-tracker', tenant };`,
];
const blind = KNOWING.filter((sample) => problemsIn('packages/bench/src/sample.ts', sample).length === 0);
const wrong = INNOCENT.filter((sample) => problemsIn('packages/bench/src/sample.ts', sample).length > 0);

const files = globSync('packages/{*,shared/*}/src/**/*.ts', { cwd: root }).filter(
  (file) => !file.startsWith('packages/shared/events/src/adapters/'),
);
const problems = files.flatMap((file) => problemsIn(file, readFileSync(resolve(root, file), 'utf8')));
for (const sample of blind) problems.push(`this check does not find: ${sample}`);
for (const sample of wrong) problems.push(`this check objects to: ${sample}`);
if (files.length < 100) problems.push(`only ${files.length} files were read: this check is broken`);

if (problems.length > 0) {
  process.stderr.write(`Sources are known outside of adapters/:\n${problems.map((each) => `  ${each}`).join('\n')}\n`);
  process.exitCode = 1;
} else {
  process.stdout.write(`Only adapters know a source (${files.length} files, ${ADAPTERS.length} sources).\n`);
}
