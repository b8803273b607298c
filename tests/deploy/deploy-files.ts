import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const REPOSITORY = resolve(import.meta.dirname, '../..');

/** Variables of `deploy/compose.yaml` that must be set before anything starts. */
export const SECRETS = ['API_KEY', 'POSTGRES_PASSWORD', 'REDIS_PASSWORD', 'GRAFANA_PASSWORD'];

/** Reads a file of the repository. */
export function readText(path: string): string {
  return readFileSync(join(REPOSITORY, path), 'utf8');
}

/** A rule of `alerts.yml`, as far as tests need it. */
export interface AlertRule {
  readonly name: string;
  readonly expression: string;
  /** The rule's lines. */
  readonly text: string;
}

/** Reads the alerts by the file's own layout: one key a line, folded expressions indented below `expr`. */
export function alertRules(): AlertRule[] {
  const [, ...rules] = readText('deploy/prometheus/alerts.yml').split(/^ {6}- alert: /m);
  return rules.map((text) => {
    const expression = /^ {8}expr: (?:>-\n((?: {10}.*\n)+)|(.+)\n)/m.exec(text);
    return {
      name: text.slice(0, text.indexOf('\n')),
      expression: (expression?.[1] ?? expression?.[2] ?? '').trim(),
      text,
    };
  });
}

/** A query of a dashboard's panel. */
export interface PanelQuery {
  readonly dashboard: string;
  readonly panel: string;
  readonly expression: string;
  readonly exemplar: boolean;
}

interface Panel {
  type: string;
  title: string;
  description?: string;
  datasource?: { uid: string };
  targets?: { expr: string; exemplar?: boolean; datasource: { uid: string } }[];
}

export interface Dashboard {
  uid: string;
  title: string;
  panels: Panel[];
}

/** Every dashboard, by the name of its file. */
export function dashboards(): Record<string, Dashboard> {
  const folder = 'deploy/grafana/dashboards';
  return Object.fromEntries(
    readdirSync(join(REPOSITORY, folder)).map((file) => [file, JSON.parse(readText(`${folder}/${file}`)) as Dashboard]),
  );
}

/** Every query of every dashboard. */
export function panelQueries(): PanelQuery[] {
  return Object.values(dashboards()).flatMap(({ title: dashboard, panels }) =>
    panels.flatMap(({ title: panel, targets = [] }) =>
      targets.map(({ expr: expression, exemplar = false }) => ({ dashboard, panel, expression, exemplar })),
    ),
  );
}
