import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { readEnvironment } from '../../../src/config/read-environment.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-environment-'));
const path = join(folder, '.env');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

it('the environment wins over the file', () => {
  writeFileSync(path, 'QUERY_PORT=1\nINGEST_PORT=2\n');
  vi.stubEnv('QUERY_PORT', '3');
  expect(readEnvironment(path)).toMatchObject({ QUERY_PORT: '3', INGEST_PORT: '2' });
});

it('a blank value is an empty one', () => {
  writeFileSync(path, 'INGEST_PORT="  "\n');
  vi.stubEnv('QUERY_PORT', ' \t ');
  expect(readEnvironment(path)).toMatchObject({ QUERY_PORT: '', INGEST_PORT: '' });
});

it('takes PG* away from pg, and still tells of them', () => {
  vi.stubEnv('PGSSLMODE', 'require');
  vi.stubEnv('PGOPTIONS', '-c statement_timeout=1');
  vi.stubEnv('PGDATA', '/var/lib/postgresql');
  expect(readEnvironment(path)).toMatchObject({ PGSSLMODE: 'require', PGOPTIONS: '-c statement_timeout=1' });
  expect(process.env['PGSSLMODE']).toBeUndefined();
  expect(process.env['PGOPTIONS']).toBeUndefined();
  expect(process.env['PGDATA']).toBe('/var/lib/postgresql');
});

it("hands OpenTelemetry's variables of the file to its SDK", () => {
  writeFileSync(path, 'OTEL_EXPORTER_OTLP_COMPRESSION=gzip\nOTEL_SPAN_EVENT_COUNT_LIMIT=5\n');
  vi.stubEnv('OTEL_EXPORTER_OTLP_COMPRESSION', 'none');
  vi.stubEnv('OTEL_SPAN_EVENT_COUNT_LIMIT', undefined);
  readEnvironment(path);
  expect(process.env['OTEL_EXPORTER_OTLP_COMPRESSION']).toBe('none');
  expect(process.env['OTEL_SPAN_EVENT_COUNT_LIMIT']).toBe('5');
});
