import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { vi } from 'vitest';
import { exitOf } from '@sluice/local-stack/child-exit';
import { freePort } from '@sluice/local-stack/free-port';
import { unprivilegedUser } from '@sluice/local-stack/run-unprivileged';
import { readText } from './deploy-files.ts';

/** The nginx of `deploy/`, in front of daemons of a test. */
export interface TestNginx {
  readonly url: string;
  readonly port: number;
  /** Lines of its access log so far. */
  log(): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

/** Starts nginx without root, with the configuration of `deploy/` filled in as its image does it. */
export async function startNginx(
  program: string,
  variables: { ingest: string; query: string; maxBodyBytes: number },
): Promise<TestNginx> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-nginx-'));
  const user = await unprivilegedUser();
  const port = await freePort();
  const accessLog = join(folder, 'access.log');
  const values: Record<string, string> = {
    LISTEN: `127.0.0.1:${port}`,
    INGEST_SERVER: new URL(variables.ingest).host,
    QUERY_SERVER: new URL(variables.query).host,
    RESOLVER: '127.0.0.11',
    MAX_BODY_BYTES: String(variables.maxBodyBytes),
  };
  const config = readText('deploy/nginx/nginx.conf.template')
    .replaceAll(/\$\{(\w+)\}/g, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`nginx.conf.template wants ${name}, which compose.yaml does not set`);
      return value;
    })
    // A container has its own /tmp and standard output; here they are shared.
    .replaceAll('/tmp/', `${folder}/`)
    .replace('/dev/stdout', accessLog);
  await writeFile(join(folder, 'nginx.conf'), config);
  await user.own(folder);

  const child = user.spawn(
    program,
    ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log'), '-g', 'daemon off;'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = exitOf(child);
  const said = text(child.stderr!);
  const ended = exited.then(async ({ code }): Promise<never> => {
    throw new Error(`nginx ended with ${code}:\n${await said}`);
  });
  ended.catch(() => {});
  const url = `http://127.0.0.1:${port}`;
  await Promise.race([ended, vi.waitFor(() => fetch(`${url}/live`), { timeout: 180_000, interval: 20 })]);
  return {
    url,
    port,
    log: async () =>
      (await readFile(accessLog, 'utf8'))
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    async stop() {
      child.kill('SIGQUIT');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
