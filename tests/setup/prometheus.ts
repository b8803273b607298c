import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { inject, vi } from 'vitest';
import { exitOf } from '@sluice/local-stack/child-exit';
import { freePort } from '@sluice/local-stack/free-port';
import { get } from '@sluice/testkit/http';

/** Of what `docker compose` mounts. */
export const PROMETHEUS_FOLDER = resolve(import.meta.dirname, '../../deploy/prometheus');

/** An alert as Prometheus reports it. */
export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

/** One series of an answer, with its value now. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A Prometheus that scrapes daemons of a test, with the alerts of `deploy/`. */
export interface TestPrometheus {
  /** @throws when Prometheus does not understand the expression */
  query(expression: string): Promise<Sample[]>;
  /** Alerts of this name that are pending or firing. */
  alerts(name: string): Promise<Alert[]>;
  /** Waits until an alert of this name, with these labels, fires. */
  firing(name: string, labels?: Readonly<Record<string, string>>): Promise<Alert>;
  /** Waits until an expression has an answer, and gives its samples. */
  answered(expression: string): Promise<Sample[]>;
  /** Trace ids of the exemplars that an expression's series had so far. */
  exemplars(expression: string): Promise<string[]>;
  stop(): Promise<void>;
}

/** How long a test waits for what must happen: a limit for hangs, not for slow machines. */
const PATIENCE = { timeout: 180_000, interval: 100 };

/**
 * Starts Prometheus with the configuration and the alerts of `deploy/`. Only these are changed: where the daemons are,
 * how often they are scraped and alerts evaluated (each second), and `for`, which is a second.
 *
 * @param targets URLs of daemons, by the name of the scrape job
 * @param threshold one alert's expression, changed where its cause would take too long to come about
 */
export async function startPrometheus(
  targets: Readonly<Record<string, readonly string[]>>,
  threshold: { from: string; to: string } | null = null,
): Promise<TestPrometheus> {
  const program = inject('programs').prometheus;
  if (program === null) throw new Error('there is no prometheus on this machine');
  const folder = await mkdtemp(join(tmpdir(), 'sluice-prometheus-'));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const config = await readFile(join(PROMETHEUS_FOLDER, 'prometheus.yml'), 'utf8');
  await writeFile(join(folder, 'prometheus.yml'), forTest(config, targets, address));
  const alerts = await readFile(join(PROMETHEUS_FOLDER, 'alerts.yml'), 'utf8');
  if (threshold !== null && !alerts.includes(threshold.from)) throw new Error(`no alert has ${threshold.from}`);
  const changed = threshold === null ? alerts : alerts.replace(threshold.from, threshold.to);
  await writeFile(join(folder, 'alerts.yml'), changed.replaceAll(/^( +for: )\w+$/gm, '$11s'));

  const child = spawn(
    program,
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--enable-feature=exemplar-storage',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = exitOf(child);
  const said = text(child.stderr);
  const api = async (path: string, parameters: Record<string, string> = {}) => {
    const { status, body } = await get(
      `http://${address}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`,
    );
    if (status !== 200) throw new Error(`Prometheus answered ${status}: ${JSON.stringify(body)}`);
    return body.data;
  };
  const ended = exited.then(async ({ code }): Promise<never> => {
    throw new Error(`Prometheus ended with ${code}:\n${await said}`);
  });
  ended.catch(() => {});
  await Promise.race([ended, vi.waitFor(() => api('status/buildinfo'), PATIENCE)]);

  const query = async (expression: string): Promise<Sample[]> => {
    const { result } = await api('query', { query: expression });
    return (result as { metric: Record<string, string>; value: [number, string] }[]).map(({ metric, value }) => ({
      metric,
      value: Number(value[1]),
    }));
  };
  const alertsOf = async (name: string): Promise<Alert[]> =>
    ((await api('alerts')).alerts as Alert[]).filter(({ labels }) => labels['alertname'] === name);
  return {
    query,
    alerts: alertsOf,
    firing: (name, labels = {}) =>
      vi.waitFor(async () => {
        const all = await alertsOf(name);
        const found = all.find(
          (alert) =>
            alert.state === 'firing' && Object.entries(labels).every(([label, value]) => alert.labels[label] === value),
        );
        if (found === undefined)
          throw new Error(`${name} ${JSON.stringify(labels)} does not fire: ${JSON.stringify(all)}`);
        return found;
      }, PATIENCE),
    answered: (expression) =>
      vi.waitFor(async () => {
        const samples = await query(expression);
        if (samples.length === 0) throw new Error(`nothing answers to ${expression}`);
        return samples;
      }, PATIENCE),
    async exemplars(expression) {
      const start = new Date(Date.now() - 3_600_000).toISOString();
      const end = new Date(Date.now() + 60_000).toISOString();
      const found = (await api('query_exemplars', { query: expression, start, end })) as {
        exemplars: { labels: { trace_id: string } }[];
      }[];
      return found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id));
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function forTest(config: string, targets: Readonly<Record<string, readonly string[]>>, self: string): string {
  const jobs = new Set([...config.matchAll(/- job_name: (\S+)/g)].map(([, job]) => job));
  for (const job of Object.keys(targets)) if (!jobs.has(job)) throw new Error(`prometheus.yml has no job ${job}`);
  return config
    .replace(/scrape_interval: \w+/, 'scrape_interval: 1s')
    .replace(/scrape_timeout: \w+/, 'scrape_timeout: 1s')
    .replace(/evaluation_interval: \w+/, 'evaluation_interval: 1s')
    .replaceAll(/dns_sd_configs:\n +- names: \[(\S+)\]\n(?: {8}.*\n)+/g, (_, job: string) => {
      const hosts = (targets[job] ?? []).map((url) => `'${new URL(url).host}'`);
      return `static_configs:\n      - targets: [${hosts.join(', ')}]\n`;
    })
    .replace('localhost:9090', self);
}
