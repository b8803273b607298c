import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { needsProgram } from '@sluice/testkit/needs';
import { canTypeIntoShell, openTypedShell } from '@sluice/testkit/typed-shell';
import { sendJson, startFakeApi } from '../fixtures/fake-api.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
const COUNTS = {
  entries: { added: 1, settled: 0, waiting: 1, orphaned: 0, drift: 0 },
  events: { settled: 0, stored: 0, duplicate: 0, dead: 0, drift: 0 },
};
const STATUS = {
  shards: [],
  consumers: [],
  totals: {
    length: 7,
    bytes: 1,
    pending: 1,
  },
  conservation: COUNTS,
  drain_rate_per_second: 1,
  seconds_to_empty: 7,
};
const ENTER = '\u001b[?1049h';
const LEAVE = '\u001b[?1049l';

/** Types `sluice status --watch`, ends it with Ctrl-C once it has asked `asks` times; the first answers are `how`. */
async function watch(how: readonly number[], asks: number, redirected = ''): Promise<string> {
  const left = [...how];
  const api = await startFakeApi(({ path }, response) => {
    if (path === '/api/daemons') return sendJson(response, 200, { daemons: [] });
    const status = left.shift() ?? 200;
    if (status === 0) response.destroy();
    else sendJson(response, status, status === 200 ? STATUS : { error: { code: 'busy', message: 'not now' } });
  });
  onTestFinished(() => api.close());
  const folder = mkdtempSync(join(tmpdir(), 'sluice-watch-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const shell = openTypedShell(folder, { PATH: process.env['PATH'], QUERY_URL: api.url });
  onTestFinished(() => shell.close());
  const shown = shell.type(
    `stty rows 40 cols 120; '${process.execPath}' '${MAIN}' status --watch ${redirected} &
     until [ -e enough ]; do sleep 0.1; done; kill -INT $! || echo gone; wait $! || echo "code $?"`,
  );
  await vi.waitFor(
    () => expect(api.requests.filter(({ path }) => path === '/api/queue').length).toBeGreaterThan(asks),
    { timeout: 120_000 },
  );
  writeFileSync(join(folder, 'enough'), '');
  return shown;
}

describe.skipIf(!canTypeIntoShell())('status --watch', needsProgram('script of util-linux'), () => {
  it('keeps trying while the query API is away, and shows since when', async () => {
    const shown = await watch([200, 0, 503, 429, 200], 6);
    expect(shown).toContain('7 entries wait');
    expect(shown).toMatch(/Last seen \d+ s ago: The query API at .* cannot be reached/);
    expect(shown).toMatch(/Last seen \d+ s ago: not now \[busy\]/);
  });

  it('begins before there is a query API', async () => {
    const shown = await watch([0, 0], 3);
    expect(shown).toMatch(/Not seen yet: The query API at .* cannot be reached/);
    expect(shown).toContain('7 entries wait');
  });

  it('draws on a screen of its own, and Ctrl-C gives the terminal back', async () => {
    const shown = await watch([], 3);
    expect(shown.split(ENTER)).toHaveLength(2);
    expect(shown.split(LEAVE)).toHaveLength(2);
    expect(shown).toContain('7 entries wait');
    expect(shown.lastIndexOf('7 entries wait')).toBeLessThan(shown.indexOf(LEAVE));
    expect(shown).toContain('\u001b[?25h');
    // The screen is never cleared: that flickers, and takes the lines above away.
    expect(shown).not.toContain('\u001b[2J');
    expect(shown).toContain('code 130');
  });

  it('ends when another attempt would only fail again, and gives the terminal back', async () => {
    const shown = await watch([200, 401], 1);
    expect(shown).toContain(LEAVE);
    expect(shown.slice(shown.indexOf(LEAVE))).toContain('not now [busy] Give a key');
    expect(shown).toContain('code 1');
  });

  it('writes line after line where there is no terminal', async () => {
    const shown = await watch([200, 0, 0], 4, '| cat');
    expect(shown).not.toContain(ENTER);
    // The same reason is reported once.
    expect(shown.match(/Last seen/g)).toHaveLength(1);
    expect(shown.match(/7 entries wait/g)!.length).toBeGreaterThan(1);
  });
});
