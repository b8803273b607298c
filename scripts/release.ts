/**
 * Releases a version: checks that everything is ready, sets the version in every package.json, dates the changelog's
 * entry, commits and tags. Nothing is pushed. docs/contribute/releasing.md has the steps around it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const HELP = `Releases a version, or begins the next one.

Usage: npx -y pnpm@12 release VERSION [--dry-run]
       npx -y pnpm@12 release --begin VERSION [--dry-run]

  VERSION    three numbers, such as 0.2.0; every package.json says 0.2.0-dev until then
  --begin    after a release: every package.json says VERSION-dev, and the changelog gets an empty entry
  --dry-run  only check, and say what would be done

Exit codes: 0 done, 1 something is not ready and nothing was changed, 2 wrong options.
`;

const CHANGELOG = 'CHANGELOG.md';
const IN_PROGRESS = 'in progress';

class UsageError extends Error {}

process.exitCode = main();

function main(): number {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { begin: { type: 'boolean' }, 'dry-run': { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help) {
      process.stdout.write(HELP);
      return 0;
    }
    const [version] = positionals;
    if (positionals.length !== 1 || !/^\d+\.\d+\.\d+$/.test(version!))
      throw new UsageError('Give one version, such as 0.2.0.');
    const plan = values.begin ? planNext(version!) : planRelease(version!, new Date());
    if (plan.problems.length > 0) {
      process.stderr.write(`Not ready:\n${plan.problems.map((problem) => `  ${problem}`).join('\n')}\n`);
      return 1;
    }
    process.stdout.write(`${plan.steps.join('\n')}\n`);
    if (values['dry-run']) process.stdout.write('Nothing was changed (--dry-run).\n');
    else plan.carryOut();
    return 0;
  } catch (error) {
    const wrongOptions = error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
    process.stderr.write(`${(error as Error).message}\n${wrongOptions ? 'See: npx -y pnpm@12 release --help\n' : ''}`);
    return wrongOptions ? 2 : 1;
  }
}

/** What prevents the release, and the steps when nothing does. */
interface Plan {
  readonly problems: readonly string[];
  readonly steps: readonly string[];
  carryOut(): void;
}

function planRelease(version: string, now: Date): Plan {
  const root = rootFolder();
  const tag = `v${version}`;
  const manifests = readManifests(root);
  const changelog = readFileSync(join(root, CHANGELOG), 'utf8');
  const heading = `## ${version} - ${IN_PROGRESS}`;
  const top = topEntry(changelog);
  const dated = `## ${version} - ${now.toISOString().slice(0, 10)}`;
  return {
    problems: [
      ...treeProblems(),
      ...(git('tag', '--list', tag) === '' ? [] : [`the tag ${tag} is there already`]),
      ...manifests
        .filter((each) => each.version !== `${version}-dev`)
        .map((each) => `${each.file} says ${each.version}, not ${version}-dev`),
      ...(top.heading === heading ? [] : [`the top entry of ${CHANGELOG} is "${top.heading}", not "${heading}"`]),
      ...(/^- /m.test(top.text) ? [] : [`the top entry of ${CHANGELOG} lists nothing`]),
    ],
    steps: [
      `${manifests.length} package.json: ${version}`,
      `${CHANGELOG}: ${dated}`,
      `commit: Release ${version}`,
      `tag: ${tag}`,
    ],
    carryOut() {
      setVersion(root, manifests, version);
      writeFileSync(join(root, CHANGELOG), changelog.replace(heading, dated));
      git('commit', '--quiet', '--all', '--message', `Release ${version}`);
      git('tag', '--annotate', tag, '--message', `Sluice ${version}`);
      process.stdout.write(`Now push both, by hand: git push origin HEAD ${tag}\n`);
    },
  };
}

function planNext(version: string): Plan {
  const root = rootFolder();
  const manifests = readManifests(root);
  const changelog = readFileSync(join(root, CHANGELOG), 'utf8');
  const { heading } = topEntry(changelog);
  return {
    problems: [
      ...treeProblems(),
      ...manifests
        .filter((each) => each.version.endsWith('-dev'))
        .map((each) => `${each.file} says ${each.version}: that one is not released`),
      ...(heading.endsWith(IN_PROGRESS)
        ? [`the top entry of ${CHANGELOG} is "${heading}": that one is not released`]
        : []),
    ],
    steps: [`${manifests.length} package.json: ${version}-dev`, `${CHANGELOG}: ## ${version} - ${IN_PROGRESS}`],
    carryOut() {
      setVersion(root, manifests, `${version}-dev`);
      writeFileSync(
        join(root, CHANGELOG),
        changelog.replace(heading, () => `## ${version} - ${IN_PROGRESS}\n\n${heading}`),
      );
      git('commit', '--quiet', '--all', '--message', `Begin ${version}`);
    },
  };
}

function treeProblems(): readonly string[] {
  const changes = git('status', '--porcelain');
  return changes === '' ? [] : [`the working tree is not clean:\n${changes.replaceAll(/^/gm, '    ')}`];
}

interface Manifest {
  /** Relative to the root. */
  readonly file: string;
  readonly version: string;
}

/** Reads every package.json that git tracks. */
function readManifests(root: string): readonly Manifest[] {
  return git('-C', root, 'ls-files', ':(glob)**/package.json')
    .split('\n')
    .map((file) => ({ file, version: (JSON.parse(readFileSync(join(root, file), 'utf8')) as Manifest).version }));
}

function setVersion(root: string, manifests: readonly Manifest[], to: string): void {
  for (const { file, version } of manifests) {
    const text = readFileSync(join(root, file), 'utf8');
    writeFileSync(join(root, file), text.replace(`"version": "${version}"`, `"version": "${to}"`));
  }
}

/** Reads the newest entry of the changelog: its heading and its text. */
function topEntry(changelog: string): { heading: string; text: string } {
  const [, heading, text] = /^(## .*)\n([\s\S]*?)(?=^## |(?![\s\S]))/m.exec(changelog) ?? [];
  return { heading: heading ?? '', text: text ?? '' };
}

function rootFolder(): string {
  return git('rev-parse', '--show-toplevel');
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trimEnd();
}
