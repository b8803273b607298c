import { describe, expect, it } from 'vitest';
import { INGEST_VARIABLES } from '@sluice/ingest-api/config';
import { MAINTENANCE_VARIABLES } from '@sluice/maintenance-worker/config';
import { QUERY_VARIABLES } from '@sluice/query-api/config';
import { WRITER_VARIABLES } from '@sluice/writer-worker/config';
import { readText, SECRETS } from './deploy-files.ts';

const compose = readText('deploy/compose.yaml');

/** Set in the image, or left to each container on purpose. */
const NOT_IN_COMPOSE = new Set([
  'HOST',
  'INGEST_PORT',
  'QUERY_PORT',
  'WRITER_PORT',
  'MAINTENANCE_PORT',
  'EXPORT_DIR',
  // The host name, so that replicas differ.
  'WRITER_NAME',
  // The daemons' own names; one for all of them would make them one service in Jaeger.
  'OTEL_SERVICE_NAME',
]);

/** The lines of a key at the given depth. */
function block(key: string, indent: number): string {
  const start = new RegExp(`^ {${indent}}${key}:.*\\n`, 'm').exec(compose);
  if (start === null) throw new Error(`compose.yaml has no ${key}`);
  const rest = compose.slice(start.index + start[0].length);
  const end = new RegExp(`^ {0,${indent}}[^\\s#]`, 'm').exec(rest);
  return start[0] + rest.slice(0, end?.index);
}

/** Names of the variables that a daemon's container gets, those of the blocks it merges included. */
function variablesOf(service: string): string[] {
  const lines = block(service, 2).split('\n');
  const from = lines.indexOf('    environment:') + 1;
  const to = lines.findIndex((line, at) => at >= from && /^ {4}\S/.test(line));
  const own = lines.slice(from, to === -1 ? undefined : to);
  const merged = /<<: \[(.*)\]/
    .exec(own.join('\n'))![1]!
    .split(', ')
    .map((alias) => `x-${alias.slice(1)}`);
  return [...names(own.join('\n')), ...merged.flatMap((key) => names(block(key, 0)))];
}

function names(text: string): string[] {
  return [...text.matchAll(/^ +([A-Z][A-Z0-9_]*):/gm)].map(([, name]) => name!);
}

/** Every service with its lines. */
function services(): [string, string][] {
  const all = [...block('services', 0).matchAll(/^ {2}([a-z-]+):$/gm)].map(([, name]) => name!);
  return all.map((name) => [name, block(name, 2)]);
}

it('Redis has the settings that docs/operate/redis.md asks for', () => {
  const [, section = ''] = /# What Redis needs\n([^]*?)\n## /.exec(readText('docs/operate/redis.md')) ?? [];
  const settings = [...section.matchAll(/`([a-z-]+) ([a-z0-9]+)`/g)].map(([, name, value]) => [name, value]);
  expect(settings.length).toBeGreaterThan(4);
  const redis = block('redis', 2).replaceAll(/^ +#.*\n/gm, '');
  for (const [name, value] of settings)
    expect(redis, name).toMatch(new RegExp(`^ +- --${name}\\n +- '?${value}'?$`, 'm'));
});

describe('deploy/compose.yaml', () => {
  it('gives each daemon every variable that it reads, and none that it does not', () => {
    const schemas = {
      'ingest-api': INGEST_VARIABLES,
      'writer-worker': WRITER_VARIABLES,
      'maintenance-worker': MAINTENANCE_VARIABLES,
      'query-api': QUERY_VARIABLES,
    };
    for (const [daemon, schema] of Object.entries(schemas)) {
      const read = Object.keys(schema.properties).filter((name) => !NOT_IN_COMPOSE.has(name));
      expect(variablesOf(daemon).toSorted(), daemon).toEqual(read.toSorted());
    }
  });

  it('publishes nginx, Grafana and Jaeger, on this machine unless configured otherwise', () => {
    const published = services().flatMap(([name, text]) => {
      const [, ports] = /^ {4}ports: \[(.*)\]$/m.exec(text) ?? [];
      return ports === undefined ? [] : [[name, ports]];
    });
    expect(published).toEqual([
      ['nginx', "'${PUBLIC_ADDRESS:-127.0.0.1:8080}:8080'"],
      ['jaeger', "'${JAEGER_ADDRESS:-127.0.0.1:16686}:16686'"],
      ['grafana', "'${GRAFANA_ADDRESS:-127.0.0.1:3000}:3000'"],
    ]);
    expect(compose.match(/^\s+ports:/gm)).toHaveLength(3);
  });

  it('hardens and limits every container, and checks its health', () => {
    const all = services();
    expect(all).toHaveLength(10);
    for (const [name, text] of all) {
      expect(text, name).toMatch(/^ {4}<<: \*(?:hardened|daemon)$/m);
      expect(text, name).toMatch(/^ {4}mem_limit: /m);
      // The daemons' is in the image.
      if (!text.includes('<<: *daemon')) {
        expect(text, name).toMatch(/^ {4}healthcheck:$/m);
        expect(text, name).toMatch(/^ {4}image: \S+:v?\d+\.\d+\.\d+|^ {4}image: postgres:\d+\.\d+/m);
      }
    }
    expect(block('x-daemon', 0)).toMatch(/^ {2}<<: \*hardened$/m);
    const hardened = block('x-hardened', 0);
    for (const line of ['read_only: true', 'cap_drop: [ALL]', "security_opt: ['no-new-privileges:true']"])
      expect(hardened).toContain(line);
    expect(readText('deploy/Dockerfile')).toMatch(/^HEALTHCHECK /m);
  });

  it('lets a daemon stop in its own time', () => {
    const timeout = Number(/SHUTDOWN_TIMEOUT_MS: (\d+)/.exec(compose)![1]);
    const grace = Number(/stop_grace_period: (\d+)s/.exec(block('x-daemon', 0))![1]);
    expect(grace * 1_000).toBeGreaterThan(timeout + 2_000);
  });

  it('requires its secrets, which .env.example names', () => {
    const example = readText('deploy/.env.example');
    for (const name of SECRETS) {
      expect(compose).toMatch(new RegExp(`\\$\\{${name}:\\?`));
      expect(compose).not.toMatch(new RegExp(`\\$\\{${name}(?!:\\?)`));
      expect(example).toMatch(new RegExp(`^${name}=$`, 'm'));
    }
  });
});
