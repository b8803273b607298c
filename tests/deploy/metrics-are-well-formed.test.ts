import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { get, post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { needsProgram } from '@sluice/testkit/needs';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import type { DaemonName } from '@sluice/testkit/test-daemon';

const { promtool } = inject('programs');

let operations: Operations;
const urls = new Map<DaemonName, string>();
beforeAll(async () => {
  operations = await startOperations();
  const { pipeline, query, startMaintenance } = operations;
  const [writer, maintenance] = await Promise.all([pipeline.startWriter('writer-1'), startMaintenance()]);
  urls.set('ingest-api', pipeline.ingest.url);
  urls.set('writer-worker', writer.url);
  urls.set('maintenance-worker', maintenance.url);
  urls.set('query-api', query.url);
  // Some histograms and labels exist only after something has happened.
  await post(`${pipeline.ingest.url}/api/events`, { events: [...makeEvents(5), {}] });
  await post(`${pipeline.ingest.url}/api/events`, '{');
  await pipeline.stored(5);
  await operations.ask('GET', '/api/queue');
});
afterAll(() => operations.stop());

describe.skipIf(promtool === null)('promtool accepts the metrics of', needsProgram('promtool'), () => {
  it.each(['ingest-api', 'writer-worker', 'maintenance-worker', 'query-api'] as const)('%s', async (daemon) => {
    const { status, body } = await get(`${urls.get(daemon)!}/metrics`);
    expect(status).toBe(200);
    expect(body).toContain(`sluice_build_info{daemon="${daemon}"`);
    expect(await checkMetrics(body as string)).toEqual({ code: 0, said: '' });
  });

  it('nothing with a bad name, which proves that the check works', async () => {
    const { code, said } = await checkMetrics('# HELP sluice_odd Odd.\n# TYPE sluice_odd counter\nsluice_odd 1\n');
    expect(said).toContain('_total');
    expect(code).not.toBe(0);
  });
});

async function checkMetrics(metrics: string): Promise<{ code: number | null; said: string }> {
  const child = spawn(promtool!, ['check', 'metrics'], { stdio: 'pipe' });
  child.stdin.end(metrics);
  const [out, err, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.once('close', resolve)),
  ]);
  return { code, said: `${out}${err}` };
}
