import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { freePort } from '@sluice/local-stack/free-port';
import type { ReceivedSpan } from '@sluice/local-stack/otlp-messages';
import { startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { runCommand } from '@sluice/testkit/run-command';

const ROOT = resolve(import.meta.dirname, '../..');
const DEMO = join(ROOT, 'packages/local-stack/src/trace-demo.ts');

async function environment(endpoint: string) {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  // The demo must not touch the caller's own servers, and the caller's keys must not lock it out.
  const mine = {
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    REDIS_URL: 'redis://127.0.0.1:1',
    API_KEYS: `somebody:${'0'.repeat(64)}`,
    REQUIRE_KEYS: 'true',
  };
  return { folder, env: { HOME: folder, TMPDIR: folder, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, ...mine } };
}

it('trace-demo draws the whole trace of a request where there is no Jaeger, and removes everything it made', async () => {
  const { folder, env } = await environment(`http://127.0.0.1:${await freePort()}`);
  const { code, stdout, stderr } = await runCommand(DEMO, [], { cwd: ROOT, env });
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain('No Jaeger');
  const [client = '', ...linked] = stdout.split(/\n\d {2}trace /).slice(1);
  const traceId = /traceparent: 00-([0-9a-f]{32})-[0-9a-f]{16}-01/.exec(stdout)?.[1];
  expect(client.slice(0, 32)).toBe(traceId);
  expect(client).toMatch(/^ingest +POST \/api\/events .*━.* ms {2}202$/m);
  expect(client).toMatch(/^ingest +└ send events .*━.* ms /m);
  expect(client).toMatch(/^writer +└ dead-letter event .*━.* ms {2}invalid_value · refused/m);
  const [transaction, request, replay, second] = linked;
  expect(transaction).toContain('process events (2) ──▶ send events (1)');
  expect(transaction).toContain('dead-letter event (1) ──▶ process events (2)');
  for (const line of [
    /^writer +process events .* 4 events · 1 link/m,
    /^writer +├ decode events /m,
    /^writer +├ write events .* refused/m,
    /^writer +├ isolate events /m,
    /^writer +│ ├ isolate rows /m,
    /^writer +│ └ pg\.query:COMMIT /m,
    /^writer +└ settle events /m,
  ])
    expect(transaction).toMatch(line);
  expect(request).toMatch(/^query +POST \/api\/dead-letters\/replays .* 202$/m);
  expect(replay).toMatch(/^maintain +replay dead letters .* 1 dead letter · 1 link/m);
  expect(replay).toMatch(/^maintain +├ send events .* 1 link/m);
  expect(second).toMatch(/^writer +process events .* 1 event · 1 link/m);
  expect(stdout).toMatch(/What the traces show\n1\. {2}POST \/api\/events/);
  // oxlint-disable-next-line no-control-regex -- a terminal's colors are what must not be there
  expect(stdout).not.toMatch(/\u001b/);
  expect(await readdir(folder)).toEqual([]);
});

it('trace-demo sends the traces to a Jaeger that answers, prints where they are, and the spans as JSON', async () => {
  const collector = await startOtlpReceiver();
  onTestFinished(() => collector.stop());
  const pages = createServer((_, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"data":[]}'),
  );
  await new Promise<void>((done) => pages.listen(0, '127.0.0.1', done));
  onTestFinished(() => void pages.close());
  const ui = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  const { env } = await environment(collector.endpoint);
  const { code, stdout, stderr } = await runCommand(DEMO, ['--json', '--jaeger', `${ui}/`], { cwd: ROOT, env });
  expect(code, stderr).toBe(0);
  const spans = JSON.parse(stdout) as ReceivedSpan[];
  const traces = new Set(spans.map((span) => span.traceId));
  for (const id of traces) expect(stderr).toContain(`\n${ui}/trace/${id}`);
  const received = new Set(collector.spans.map((span) => span.spanId));
  expect(spans.filter((span) => !received.has(span.spanId))).toEqual([]);
});

it('trace-demo stops everything at Ctrl-C', async () => {
  const { folder, env } = await environment(`http://127.0.0.1:${await freePort()}`);
  const child = spawn(process.execPath, [DEMO], { cwd: ROOT, env: { PATH: process.env['PATH'], ...env } });
  let output = '';
  const ended = new Promise<number | null>((done) => child.once('close', done));
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => {
      const before = output;
      output += text.toString();
      if (output.includes('postgres  ') && !before.includes('postgres  ')) child.kill('SIGINT');
    });
  expect(await ended, output).toBe(0);
  expect(output).toContain('stopped');
  expect(await readdir(folder)).toEqual([]);
});

it.each([
  [['--help'], 0, /Usage: .* trace-demo/],
  [['--jager'], 2, /'--jager'[\s\S]*trace-demo --help/],
  [['--jaeger', 'here'], 2, /must be a URL such as \S+, not "here"/],
])('trace-demo %j', async (args, exitCode, says) => {
  const { code, stdout, stderr } = await runCommand(DEMO, args, { cwd: ROOT });
  expect(code).toBe(exitCode);
  expect(exitCode === 0 ? stdout : stderr).toMatch(says);
});

it('trace-demo reports at once that a collector is no URL', async () => {
  const { env } = await environment('jaeger:4318');
  const { code, stderr } = await runCommand(DEMO, [], { cwd: ROOT, env });
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: 'OTEL_EXPORTER_OTLP_ENDPOINT must be a URL that starts with http:// or https://\n',
  });
});
