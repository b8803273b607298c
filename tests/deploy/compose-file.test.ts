import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INGEST_VARIABLES } from '../../packages/ingest-api/src/config.ts';
import { MAINTENANCE_VARIABLES } from '../../packages/maintenance-worker/src/config.ts';
import { QUERY_VARIABLES } from '../../packages/query-api/src/config.ts';
import { WRITER_VARIABLES } from '../../packages/writer-worker/src/config.ts';
import { readText } from './deploy-files.ts';

const run = promisify(execFile);
const compose = readText('deploy/compose.yaml');

/** What must be set before anything starts. */
const SECRETS = ['API_KEY', 'POSTGRES_PASSWORD', 'REDIS_PASSWORD', 'GRAFANA_PASSWORD'];

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

  it('publishes nginx, Grafana and Jaeger, on this machine unless somebody says otherwise', () => {
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

  it('asks for its secrets, which .env.example names', () => {
    const example = readText('deploy/.env.example');
    for (const name of SECRETS) {
      expect(compose).toMatch(new RegExp(`\\$\\{${name}:\\?`));
      expect(compose).not.toMatch(new RegExp(`\\$\\{${name}(?!:\\?)`));
      expect(example).toMatch(new RegExp(`^${name}=$`, 'm'));
    }
  });
});

const command = await findCompose();

describe.skipIf(command === null)('deploy/compose.yaml, read by compose', () => {
  const [program, ...first] = command ?? [''];
  const cwd = resolve(import.meta.dirname, '../..');
  // Not a developer's own .env.
  let noVariables: string;
  beforeAll(async () => {
    noVariables = join(await mkdtemp(join(tmpdir(), 'sluice-compose-')), 'empty.env');
    await writeFile(noVariables, '');
  });
  afterAll(() => rm(dirname(noVariables), { recursive: true }));

  const config = (env: Record<string, string>) =>
    run(program!, [...first, '--env-file', noVariables, '-f', 'deploy/compose.yaml', 'config'], {
      cwd,
      env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
    });

  it('is valid, and passes on what is set', async () => {
    const env = Object.fromEntries(SECRETS.map((name) => [name, `the-${name.toLowerCase()}`]));
    const { stdout } = await config({ ...env, EVENT_RETENTION_DAYS: '7' });
    expect(stdout).toContain('postgres://sluice:the-postgres_password@postgres:5432/sluice');
    expect(stdout).toMatch(/EVENT_RETENTION_DAYS: ['"]7['"]/);
    expect(stdout).toContain('http://localhost:16686/trace/{trace_id}');
  });

  it('refuses to start without any of its secrets', async () => {
    for (const left of SECRETS) {
      const env = Object.fromEntries(SECRETS.filter((name) => name !== left).map((name) => [name, 'x']));
      await expect(config(env), left).rejects.toThrow(/set it in deploy\/\.env/);
    }
  });
});

/** The compose of this machine, as a plugin of docker or a program of its own. */
async function findCompose(): Promise<string[] | null> {
  for (const candidate of [['docker', 'compose'], ['docker-compose']]) {
    try {
      await run(candidate[0]!, [...candidate.slice(1), 'version']);
      return candidate;
    } catch {
      // The next one.
    }
  }
  process.stdout.write('compose: not on this machine; what it says of compose.yaml is not tested\n');
  return null;
}
