import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { needsProgram } from '@sluice/testkit/needs';
import { SECRETS } from './deploy-files.ts';

const run = promisify(execFile);
const command = inject('compose');

describe.skipIf(command === null)('deploy/compose.yaml, read by compose', needsProgram('docker-compose'), () => {
  const [program, ...first] = command ?? [''];
  const cwd = resolve(import.meta.dirname, '../..');
  // Not the developer's own .env.
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
