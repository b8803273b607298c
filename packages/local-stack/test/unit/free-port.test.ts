import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { assertPortFree, freePort } from '../../src/free-port.ts';
import { chooseDaemonPorts } from '../../src/stack-ports.ts';

async function takePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

test.for(['127.0.0.1', '0.0.0.0', '::'])(
  'names a port that is taken on %s, its variable, and the process that has it',
  async (host) => {
    const port = await takePort(host);
    await expect(assertPortFree({ port, variable: 'INGEST_PORT' })).rejects.toThrow(
      new RegExp(`^port ${port} \\(INGEST_PORT\\) is taken by .+, pid ${process.pid}; set INGEST_PORT to another$`),
    );
  },
);

test.runIf(process.platform === 'linux')('names the program and its script, not the main thread', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-port-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const script = join(folder, 'listens.mjs');
  writeFileSync(
    script,
    "import('node:net').then(({ createServer: s }) => { const l = s().listen(0, () => console.log(l.address().port)); });",
  );
  const child = spawn(process.execPath, ['--no-warnings', '--import', 'data:text/javascript,', script]);
  onTestFinished(() => void child.kill());
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  await expect(assertPortFree({ port: Number(port), variable: 'INGEST_PORT' })).rejects.toThrow(
    ` is taken by node listens.mjs, pid ${child.pid};`,
  );
});

test('chooses the preferred port when it is free, else another', async () => {
  const taken = await takePort('127.0.0.1');
  const free = await freePort();
  expect(await freePort(free)).toBe(free);
  expect(await freePort(taken)).not.toBe(taken);
});

test('all mistakes in the ports of the daemons are named at once', async () => {
  const port = await takePort('127.0.0.1');
  const env = {
    INGEST_PORT: String(port),
    QUERY_PORT: 'eighty',
    WRITER_PORT: '70000',
    MAINTENANCE_PORT: String(port),
  };
  const failed = chooseDaemonPorts(env, ['ingest-api', 'query-api', 'writer-worker', 'maintenance-worker']);
  await expect(failed).rejects.toThrow(
    /INGEST_PORT\) is taken.*\nQUERY_PORT must be.*"eighty"\nWRITER_PORT must be.*\n.*given twice, by INGEST_PORT and MAINTENANCE_PORT/,
  );
});
