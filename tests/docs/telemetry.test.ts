import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { createIngestMetrics } from '@sluice/accept/ingest-metrics';
import { addHealthMetrics } from '@sluice/daemon/http/health-metrics';
import { addHeldBytesMetrics } from '@sluice/daemon/http/held-bytes-metrics';
import { addHttpMetrics } from '@sluice/daemon/http/http-metrics';
import { createMetrics, type Metrics } from '@sluice/daemon/telemetry/metrics';
import { createPoolMetrics } from '@sluice/daemon/telemetry/pool-metrics';
import { addDatabaseMetrics } from '@sluice/maintenance-worker/database-metrics';
import { createMaintenanceMetrics } from '@sluice/maintenance-worker/maintenance-metrics';
import { createQueryMetrics } from '@sluice/query-api/query-metrics';
import { createWriterMetrics } from '@sluice/writer-worker/watch/writer-metrics';
import { daemonsOf, listedAttributes, listedMetrics, listedSpans } from './listed-telemetry.ts';
import { byFirstCell } from './table-rows.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Stands in for what metrics would measure; nothing is measured here. */
const NOTHING = {} as never;

/** Accepts hooks, and never calls them. */
const SERVER = { addHook() {} } as never;

/** The metrics of each daemon, as its main.ts makes them. */
const REGISTRIES: Record<string, (registry: Metrics) => void> = {
  'ingest-api': (registry) => {
    createIngestMetrics(registry, NOTHING);
    addHeldBytesMetrics(registry, NOTHING, 0);
    addHttpMetrics(SERVER, registry);
  },
  'query-api': (registry) => {
    createQueryMetrics(registry, NOTHING);
    addHeldBytesMetrics(registry, NOTHING, 0);
    createPoolMetrics(registry);
    addHttpMetrics(SERVER, registry);
  },
  'writer-worker': (registry) => {
    createWriterMetrics(registry, NOTHING);
    createPoolMetrics(registry);
  },
  'maintenance-worker': (registry) => {
    createMaintenanceMetrics(registry, []);
    addDatabaseMetrics(registry, NOTHING, 1);
    createPoolMetrics(registry);
  },
};

interface Defined {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

const daemons = Object.keys(REGISTRIES);

/** The metrics that are defined for a daemon, without prom-client's own. */
function definedFor(daemon: string): Defined[] {
  const registry = createMetrics(daemon);
  addHealthMetrics(registry, []);
  REGISTRIES[daemon]!(registry);
  // Its type leaves out the labels' names.
  const all = registry.getMetricsAsArray() as unknown as Defined[];
  return all.filter(({ name }) => !/^(process|nodejs)_/.test(name));
}

it.each(daemons)('the table has every metric of the %s with its type and labels, and no other', (daemon) => {
  const listed = listedMetrics().filter((metric) => daemonsOf(metric.daemon).includes(daemon));
  const inTable = listed.map(({ name, type, labels }) => [name, type, labels.toSorted()]);
  const inCode = definedFor(daemon).map(({ name, type, labelNames }) => [name, type, labelNames.toSorted()]);
  expect(inTable.toSorted(byFirstCell)).toEqual(inCode.toSorted(byFirstCell));
});

it('every metric has a sentence of help, in the table and in the scrape', () => {
  for (const { name, meaning } of listedMetrics()) expect(meaning, name).toMatch(/^[A-Z0-9`].*\.$/);
  for (const { name, help } of daemons.flatMap(definedFor)) expect(help, name).toMatch(/^[A-Z0-9].*\.$/);
});

it('metrics are named by the conventions of Prometheus', () => {
  for (const { name, type, labels } of listedMetrics()) {
    expect(name).toMatch(/^(sluice|http_server)_[a-z_]+$/);
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
    expect(['counter', 'gauge', 'histogram'], name).toContain(type);
    for (const label of labels) expect(label, name).toMatch(/^[a-z_]+$/);
    // The sender may choose these freely.
    for (const free of ['tenant', 'user', 'event_type', 'key', 'path']) expect(labels, name).not.toContain(free);
  }
});

it('every span of the table is of one kind, in daemons that exist, and says what it covers', () => {
  const spans = listedSpans();
  expect(spans.length).toBeGreaterThan(10);
  for (const { name, kind, daemon, meaning } of spans) {
    expect(['server', 'producer', 'consumer', 'client', 'internal'], name).toContain(kind);
    expect(daemonsOf(daemon).length, name).toBeGreaterThan(0);
    expect(meaning, name).toMatch(/^[A-Z0-9`].*\.$/);
  }
  for (const names of [spans, listedMetrics()].map((rows) => rows.map(({ name }) => name)))
    expect(new Set(names).size).toBe(names.length);
});

/** Finds a pattern in the sources of the daemons. */
async function inSources(pattern: RegExp): Promise<RegExpExecArray[]> {
  const files = await Array.fromAsync(
    glob('packages/{shared/*,daemon,access,store,projections,exports,*-api,*-worker}/src/**/*.ts', { cwd: ROOT }),
  );
  return files.flatMap((file) => [...readFileSync(join(ROOT, file), 'utf8').matchAll(pattern)]);
}

/** A name without its variable part: `run {job}` in the table, `run ${job.name}` in the code. */
const varying = (name: string): string => name.replace(/\$?\{[^}]+\}/g, '{}');

it('every span that the code names is in the table, even one that no test run makes', async () => {
  const calls = await inSources(/\b(?:inSpan|inRunTrace|startSpan|step)\(\s*['`]([^'`]+)['`]/g);
  expect(calls.length).toBeGreaterThan(5);
  const listed = new Set(listedSpans().map(({ name }) => varying(name)));
  expect(calls.map(([, name]) => varying(name!)).filter((name) => !listed.has(name))).toEqual([]);
});

it("the table of attributes has all of Sluice's own, and no other", async () => {
  const set = (await inSources(/'(sluice(\.[a-z_]+)+)'/g)).map(([, name]) => name!);
  expect(listedAttributes().toSorted()).toEqual([...new Set(set)].toSorted());
});
