import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import type { ReceivedSpan } from '@sluice/local-stack/otlp-messages';
import { type OtlpReceiver, startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { openDatabase } from '@sluice/store/database';
import { behindFence } from '@sluice/testkit/behind-fence';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { S3_CREDENTIALS, type S3Server, startS3Server } from '@sluice/testkit/s3-server';
import { scrape } from '@sluice/testkit/scrape';
import { rotateHotSegment } from '@sluice/testkit/seal-hot-segment';
import { type DaemonName, startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { daemonsOf, listedAttributes, listedMetrics, listedSpans } from '../docs/listed-telemetry.ts';

const PATIENCE = { timeout: 180_000, interval: 20 };
const KEY = 'the-key';

let receiver: OtlpReceiver;
let pipeline: Pipeline;
let s3: S3Server;
let folder: string;
let daemons: Record<DaemonName, TestDaemon>;
const notices: string[] = [];
const webhook = createServer((request, response) => {
  notices.push(request.url ?? '');
  response.end();
});

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  s3 = await startS3Server();
  folder = await mkdtemp(join(tmpdir(), 'sluice-exports-'));
  await new Promise<void>((done) => webhook.listen(0, '127.0.0.1', done));
  const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_BSP_SCHEDULE_DELAY: '50' };
  pipeline = await startPipeline({ env: tracing });
  const env = {
    ...tracing,
    REDIS_URL: inject('redisUrl'),
    DATABASE_URL: pipeline.database.url,
    SLUICE_NAMESPACE: pipeline.namespace,
    EXPORT_DIR: folder,
    EXPORT_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}`,
    EXPORT_ALLOW_PRIVATE: 'true',
  };
  const [writer, query, maintenance] = await Promise.all([
    pipeline.startWriter('writer-1'),
    startTestDaemon('query-api', { ...env, API_KEY: KEY }),
    startTestDaemon('maintenance-worker', {
      ...env,
      EXPORT_WEBHOOK_URL: `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/hook`,
      EXPORT_WEBHOOK_SECRET: 'a secret of the receiver',
    }),
  ]);
  daemons = {
    'ingest-api': pipeline.ingest,
    'writer-worker': writer,
    'query-api': query,
    'maintenance-worker': maintenance,
  };
  await runEverything();
});
afterAll(async () => {
  await Promise.all([daemons['query-api'].stop(), daemons['maintenance-worker'].stop()]);
  const keys = await pipeline.redis.keys(`{${pipeline.namespace}:jobs}*`);
  if (keys.length > 0) await pipeline.redis.del(keys);
  await pipeline.stop();
  await receiver.stop();
  await s3.close();
  webhook.close();
  await rm(folder, { recursive: true, force: true });
});

/** Sends the query API a request that must succeed. */
// oxlint-disable-next-line typescript/no-explicit-any -- tests look into bodies of every shape
async function ask(method: string, path: string, body?: unknown): Promise<any> {
  const response = await fetch(`${daemons['query-api'].url}${path}`, {
    method,
    headers: { 'x-api-key': KEY, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  expect(response.status, `${method} ${path}: ${text}`).toBeLessThan(300);
  return JSON.parse(text);
}

const untilEnded = (path: string) =>
  vi.waitFor(async () => expect(await ask('GET', path)).toMatchObject({ state: 'succeeded' }), PATIENCE);

async function rotateBeforeItIsFull(): Promise<void> {
  const { url } = pipeline.database;
  const opened = openDatabase({ url, poolSize: 1, statementTimeoutMs: 60_000, applicationName: 'test' });
  await rotateHotSegment(opened);
  await opened.close();
}

/** Does everything that Sluice can do, once. */
async function runEverything(): Promise<void> {
  const { database, ingest } = pipeline;
  await database.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.event_type = 'Poison' THEN RAISE EXCEPTION 'poisoned' USING ERRCODE = '22023'; END IF;
      RETURN NEW;
    END $$`);
  await database.query('CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()');
  const poisoned = makeEvent({ eventType: 'Poison' });
  const sent = await fetch(`${ingest.url}/api/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ events: [...makeEvents(3), poisoned] }),
  });
  expect(sent.status).toBe(202);
  await fetch(`${ingest.url}/no/such/path?secret=1`);
  await ask('GET', '/api/queue');
  await ask('GET', '/api/events/recent');
  const [letter] = await vi.waitFor(async () => {
    const found = await database.query<{ id: string }>('SELECT id FROM dead_letters');
    expect(found).toHaveLength(1);
    return found;
  }, PATIENCE);
  await ask('POST', '/api/dead-letters/replays', { ids: [letter!.id], dry_run: true });
  const payload = { ...poisoned, eventType: 'Fixed' };
  await ask('PATCH', `/api/dead-letters/${letter!.id}`, { payload, reason: 'was poisoned' });
  const { id: replay } = await ask('POST', '/api/dead-letters/replays', { ids: [letter!.id], reason: 'fixed' });
  await untilEnded(`/api/dead-letters/replays/${replay}`);
  await ask('POST', '/api/jobs/rotate-segments/runs');
  await rotateBeforeItIsFull();
  await ask('POST', '/api/jobs/seal-segments/runs');
  await behindFence(database);
  const { id: exported } = await ask('POST', '/export/run?format=ndjson');
  await untilEnded(`/export/runs/${exported}`);
  await ask('PUT', '/export/config', { destination: { ...s3.settings('client'), credentials: S3_CREDENTIALS } });
  await ask('POST', '/export/config/test');
  const { id: toS3 } = await ask('POST', '/export/run?format=csv');
  await untilEnded(`/export/runs/${toS3}`);
  await vi.waitFor(() => expect(notices).toHaveLength(2), PATIENCE);
  await receiver.until(
    (spans) =>
      spans.filter(({ name }) => name === 'deliver webhook').length === 2 &&
      spans.some(({ attributes }) => attributes['sluice.run.trigger'] === 'schedule') &&
      spans.some(({ attributes }) => attributes['sluice.run.trigger'] === 'request'),
    'the last spans',
  );
}

const daemonOf = ({ service }: ReceivedSpan): string => service.replace(/^sluice-/, '');

/** Makes a pattern of a name in the table. */
function patternOf(name: string): RegExp {
  const parts: Record<string, string> = {
    '{METHOD} {route}': '[A-Z]+( /[^ ?]*)?',
    '{job}': '[a-z]+(-[a-z]+)*',
    '{statement}': '([A-Z]+|[a-z-]+(-\\d+)?)',
    '{database}': '\\w+',
    '{command}': '[a-z_]+',
    '{Operation}': '[A-Za-z]+',
  };
  const source = Object.entries(parts).reduce((text, [part, pattern]) => text.replace(part, pattern), name);
  return new RegExp(`^${source}$`);
}

const listed = listedSpans().flatMap(({ name, kind, daemon }) =>
  daemonsOf(daemon).map((each) => ({ name, kind, daemon: each, pattern: patternOf(name) })),
);

it('every received span is in the table, with its kind and its daemon', () => {
  const unlisted = receiver.spans.filter(
    (span) =>
      !listed.some(
        ({ pattern, kind, daemon }) => pattern.test(span.name) && kind === span.kind && daemon === daemonOf(span),
      ),
  );
  expect([...new Set(unlisted.map((span) => `${daemonOf(span)}: ${span.name} (${span.kind})`))]).toEqual([]);
});

it('every span of the table was received, from each of its daemons', () => {
  const missing = listed.filter(
    ({ pattern, kind, daemon }) =>
      !receiver.spans.some((span) => pattern.test(span.name) && kind === span.kind && daemon === daemonOf(span)),
  );
  expect(missing.map(({ name, daemon }) => `${daemon}: ${name}`)).toEqual([]);
});

it("Sluice's own attributes are those of the table", () => {
  const seen = new Set(receiver.spans.flatMap((span) => Object.keys(span.attributes)));
  const own = [...seen].filter((name) => name.startsWith('sluice.'));
  // Takes a run of hundreds of statements.
  const rare = ['sluice.spans.left_out'];
  expect([...own, ...rare].toSorted()).toEqual(listedAttributes().toSorted());
});

it('no span holds query parameters, an address with a secret, or the values of a statement', () => {
  const all = JSON.stringify(receiver.spans.map(({ name, attributes }) => [name, attributes]));
  for (const secret of [
    'secret=1',
    '/hook',
    'a secret of the receiver',
    KEY,
    'Budget.xlsx',
    S3_CREDENTIALS.access_key_id,
  ])
    expect(all).not.toContain(secret);
});

it.each(['ingest-api', 'writer-worker', 'query-api', 'maintenance-worker'] as const)(
  'the metrics of the %s are those of the table',
  async (daemon) => {
    const { text } = await scrape(daemons[daemon].url);
    const defined = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
      .map(([, name, type]) => `${name} ${type}`)
      .filter((each) => !/^(process|nodejs)_/.test(each));
    const inTable = listedMetrics()
      .filter((metric) => daemonsOf(metric.daemon).includes(daemon))
      .map(({ name, type }) => `${name} ${type}`);
    expect(defined.toSorted()).toEqual(inTable.toSorted());
  },
);

it.each(['ingest-api', 'writer-worker', 'query-api', 'maintenance-worker'] as const)(
  'every metric of the %s has a value after such a run, with the labels of the table',
  async (daemon) => {
    await vi.waitFor(async () => {
      const { text } = await scrape(daemons[daemon].url);
      for (const { name, labels } of listedMetrics().filter((metric) => daemonsOf(metric.daemon).includes(daemon))) {
        const samples = [...text.matchAll(new RegExp(`^${name}(?:_sum)?(?:\\{(.*)\\})? \\S+$`, 'gm'))];
        expect(samples.length, name).toBeGreaterThan(0);
        const seen = samples.map(([, inBraces = '']) => [...inBraces.matchAll(/(\w+)="/g)].map(([, label]) => label!));
        for (const each of seen) expect(each.toSorted(), name).toEqual(labels.toSorted());
      }
    }, PATIENCE);
  },
);
