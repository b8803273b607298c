/**
 * Opens the page /docs of both APIs in Chromium, in light and in dark, opens its operations, and runs axe on it. Fails at a broken
 * rule that axe calls serious or critical.
 *
 *     npx -y pnpm@12 test:long axe
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startFilledStack } from '../schemathesis/start-filled-stack.ts';
import { findChromium } from './find-chromium.ts';
import { installAxe } from './install-axe.ts';
import { type ColorScheme, examine, type Violation } from './pages.ts';

const GRAVE: ReadonlySet<Violation['impact']> = new Set(['serious', 'critical'] as const);
const SCHEMES: readonly ColorScheme[] = ['light', 'dark'];

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({ options: { short: { type: 'boolean', default: false } } });
const isShort = values.short;
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

const program = await findChromium();
if (program === null) {
  const missing = 'chromium is not on this machine and cannot be installed';
  // With CI=true nothing may be left out because a program is missing.
  if (process.env['CI'] === 'true') {
    process.stderr.write(`${missing}\n`);
    process.exit(1);
  }
  say(`0 passed, 0 failed, 4 skipped. Left out: the pages of the APIs: ${missing}`);
  process.exit(0);
}
const { axe, chromium } = await installAxe();
const folder = await mkdtemp(join(tmpdir(), 'sluice-axe-'));
const stack = await startFilledStack(folder, false, stopping.signal);
let [passed, failed] = [0, 0];
try {
  // Chromium's sandbox refuses to run as root, and /dev/shm of a container is too small for it.
  const browser = await chromium.launch({ executablePath: program, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  try {
    for (const [api, url] of Object.entries(stack.urls)) {
      for (const scheme of SCHEMES) {
        if (stopping.signal.aborted) break;
        if (await isFit(api, url, scheme)) passed += 1;
        else failed += 1;
      }
    }
  } finally {
    await browser.close();
  }

  /** Examines one page and reports what was found. A page without operations or rules is no proof. */
  async function isFit(api: string, url: string, scheme: ColorScheme): Promise<boolean> {
    const { operations, held, violations } = await examine(browser, url, { colorScheme: scheme, axe, isShort });
    const grave = violations.filter(({ impact }) => GRAVE.has(impact));
    const rest = new Set(violations.filter((violation) => !grave.includes(violation)).map(({ id }) => id));
    say(
      `${api} ${scheme}: ${operations} operations, ${held} rules hold, ${grave.length} serious or critical do not` +
        (rest.size === 0 ? '' : `; less grave: ${[...rest].join(', ')}`),
    );
    for (const { id, impact, help, nodes } of grave) {
      say(`  ${id} (${impact}): ${help}`);
      for (const node of nodes.slice(0, 5))
        say(`    ${node.target.join(' ')}: ${node.failureSummary?.replaceAll(/\s+/g, ' ') ?? ''}`);
      if (nodes.length > 5) say(`    and ${nodes.length - 5} more`);
    }
    return grave.length === 0 && operations > 0 && held > 0;
  }
} finally {
  await stack.stop();
  await rm(folder, { recursive: true, force: true });
}
if (stopping.signal.aborted) process.exit(130);
say(`${passed} passed, ${failed} failed, 0 skipped. Left out: nothing.`);
process.exitCode = failed === 0 ? 0 : 1;
