import { expect, it } from 'vitest';
import { tableRows } from '../docs/table-rows.ts';
import { alertRules, dashboards, panelQueries, readText } from './deploy-files.ts';

/** Of Prometheus itself, and of prom-client. */
const NOT_OURS = /^(?:up|ALERTS|process_\w+|nodejs_\w+)$/;

/** Words of PromQL that are not metrics. */
const WORDS = new Set(
  'sum max min count by without on ignoring group_left group_right and or unless offset bool vector time absent rate increase histogram_quantile'.split(
    ' ',
  ),
);

/** Metrics that docs/reference/metrics.md promises, with the series that a histogram has. */
function promised(): Set<string> {
  const section = readText('docs/reference/metrics.md').split('<!-- metrics -->')[1]?.split('\n## ')[0] ?? '';
  return new Set(
    tableRows(section).flatMap(([name = '', type]) => {
      const metric = name.replaceAll('`', '');
      return type === 'histogram' ? ['bucket', 'sum', 'count'].map((suffix) => `${metric}_${suffix}`) : [metric];
    }),
  );
}

/** Names of metrics in an expression: what is left without labels, ranges, numbers and the language's own words. */
function metricsIn(expression: string): string[] {
  const bare = expression
    .replaceAll(/\{[^}]*\}/g, ' ')
    .replaceAll(/\[[^\]]*\]|\boffset \w+/g, ' ')
    .replaceAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ');
  return [...bare.matchAll(/[a-zA-Z_]\w*/g)].map(([word]) => word).filter((word) => !WORDS.has(word));
}

it('dashboards and alerts use only metrics that docs/reference/metrics.md promises', () => {
  const known = promised();
  expect(known.size).toBeGreaterThan(50);
  const used = [...alertRules(), ...panelQueries()].flatMap(({ expression }) => metricsIn(expression));
  expect(used).toContain('sluice_writer_end_to_end_seconds_bucket');
  expect(used.filter((name) => !known.has(name) && !NOT_OURS.test(name))).toEqual([]);
});

it('every metric of the writers, the queue and maintenance is on a dashboard', () => {
  const shown = new Set(panelQueries().flatMap(({ expression }) => metricsIn(expression)));
  const series = [...promised()].filter((name) => !/_(?:sum|count)$/.test(name));
  const countsOnly = new Map([
    ['sluice_ingest_batch_events_bucket', 'sluice_ingest_batch_events_sum'],
    ['sluice_job_run_duration_seconds_bucket', 'sluice_job_run_duration_seconds_sum'],
    ['sluice_queue_events_settled_total', 'sluice_writer_events_total'],
  ]);
  expect(series.filter((name) => !shown.has(name) && !shown.has(countsOnly.get(name) ?? ''))).toEqual([]);
});

it('numbers of the queue, which each query API exports, are never summed over instances', () => {
  const perReplica =
    /\b(?:sluice_queue_\w+|sluice_redis_\w+|sluice_job_stale|sluice_segments|sluice_segments_missing|sluice_hot_segment_\w+|sluice_closed_segment_age_seconds|sluice_segment_seal_seconds|sluice_dead_letters_open|sluice_fence_age_seconds|sluice_fold_lag_seconds)\b/g;
  const inMax = /(?:max|count)\s*(?:by \([^)]*\) )?\((?:rate|increase)?\(?$/;
  for (const { expression } of [...alertRules(), ...panelQueries()]) {
    for (const match of expression.matchAll(perReplica)) {
      expect(expression.slice(0, match.index), expression).toMatch(inMax);
    }
  }
});

it('each alert waits, has a severity, and links to an entry of its name in docs/operate/alerts.md, which lists no other', () => {
  const rules = alertRules();
  expect(rules.length).toBeGreaterThan(15);
  for (const { name, text, expression } of rules) {
    expect(expression, name).not.toBe('');
    expect(text, name).toMatch(/^ {8}for: [1-9]\d*[smh]$/m);
    expect(text, name).toMatch(/^ {10}severity: (?:critical|warning)$/m);
    expect(text, name).toMatch(/^ {10}summary: ['"].{10,}['"]$/m);
    expect(text, name).toMatch(/^ {10}description: ['"].{10,}['"]$/m);
    expect(text, name).toContain(`runbook_url: docs/operate/alerts.md#${name.toLowerCase()}\n`);
  }
  const entries = readText('docs/operate/alerts.md').split('\n## ').slice(1);
  expect(entries.map((entry) => entry.slice(0, entry.indexOf('\n')))).toEqual(rules.map(({ name }) => name));
  for (const entry of entries) {
    expect(entry).toMatch(/\*\*Means:\*\* .{20,}/s);
    expect(entry).toMatch(/\*\*See:\*\* .{20,}/s);
    expect(entry).toMatch(/\*\*Do:\*\* .{20,}/s);
  }
});

it('each panel says what it shows, and asks the data source that is provisioned', () => {
  const sources = readText('deploy/grafana/provisioning/datasources/datasources.yaml');
  const all = dashboards();
  expect(Object.keys(all).toSorted()).toEqual(['maintenance.json', 'overview.json', 'writer.json']);
  for (const { title, panels } of Object.values(all)) {
    for (const panel of panels.filter(({ type }) => type !== 'row')) {
      expect(panel.description, `${title}: ${panel.title}`).toMatch(/\w{2}/);
      for (const uid of [panel.datasource!.uid, ...panel.targets!.map(({ datasource }) => datasource.uid)])
        expect(sources).toContain(`uid: ${uid}\n`);
    }
  }
  expect(sources).toMatch(/exemplarTraceIdDestinations:\n +- name: trace_id\n +datasourceUid: jaeger\n/);
  expect(sources).toContain('uid: jaeger\n');
  expect(panelQueries().filter(({ exemplar }) => exemplar).length).toBeGreaterThan(5);
});
