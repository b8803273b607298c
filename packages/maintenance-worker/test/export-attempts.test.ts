import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { DestinationError } from '@sluice/exports/destination';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { afterFailure, MAX_ATTEMPTS } from '../src/exports/after-failure.ts';
import { queueAgain, takeRun } from '../src/exports/export-states.ts';
import { type ExportRig, exportRig } from './fixtures/export-rig.ts';

let database: TestDatabase;
let rig: ExportRig;
beforeAll(async () => {
  database = await createTestDatabase();
  rig = await exportRig(database);
});
beforeEach(() => database.query('TRUNCATE export_runs'));
afterAll(async () => {
  await rig.close();
  await database.drop();
});

const runRow = async (id: string) => {
  const [row] = await database.query<{ state: string; attempts: number; error_code: string; error: string }>(
    'SELECT state, attempts, error_code, error FROM export_runs WHERE id = $1',
    [id],
  );
  return row!;
};

/** Takes the run as a worker does, and ends its attempt with an error. @returns the wait until the next one */
async function fail(id: string, error: Error): Promise<number> {
  await database.query('UPDATE export_runs SET next_attempt_at = NULL WHERE id = $1', [id]);
  expect(await takeRun(rig.opened.db, id)).not.toBeNull();
  const [row] = await database.query<{ id: string; trigger: string; attempts: number; errorCode: string | null }>(
    'SELECT id, trigger, attempts, error_code AS "errorCode" FROM export_runs WHERE id = $1',
    [id],
  );
  return (await afterFailure(rig.opened.db, row!, error)).waitMs;
}

const rejected = (): Error => new DestinationError('rejected', 's3://bucket/: Teapot');
const unreachable = (): Error => new DestinationError('unreachable', 's3://bucket/: SlowDown');
const away = (): Error => new Error('Premature close');

it('an attempt that something else than the destination ended counts, and the next one comes later and later', async () => {
  const id = await rig.queue({ trigger: 'schedule' });
  const waits: number[] = [];
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    waits.push(await fail(id, away()));
    expect(await runRow(id)).toMatchObject({ state: 'queued', attempts: attempt, error_code: 'interrupted' });
  }
  expect(waits[0]).toBeLessThanOrEqual(2_000);
  expect(waits.at(-1)).toBeGreaterThanOrEqual(150_000);
});

it('a requested run has a bounded number of attempts, whatever ends them', async () => {
  const id = await rig.queue();
  for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt += 1)
    await fail(id, attempt % 2 === 0 ? away() : unreachable());
  expect(await runRow(id)).toMatchObject({ state: 'queued', attempts: MAX_ATTEMPTS - 1 });
  await fail(id, away());
  expect(await runRow(id)).toMatchObject({ state: 'failed', error_code: 'too_many_attempts', attempts: MAX_ATTEMPTS });
});

it.each(['schedule', 'request'] as const)(
  'what is rejected again and again fails after eight attempts: %s',
  async (trigger) => {
    const id = await rig.queue({ trigger });
    for (let attempt = 1; attempt < 8; attempt += 1) await fail(id, rejected());
    expect(await runRow(id)).toMatchObject({ state: 'queued', attempts: 7, error_code: 'rejected' });
    await fail(id, rejected());
    expect(await runRow(id)).toMatchObject({
      state: 'failed',
      error_code: 'rejected',
      error: 'after 8 attempts: s3://bucket/: Teapot',
    });
  },
);

it('one rejection after a long outage is no reason to give up', async () => {
  const id = await rig.queue({ trigger: 'schedule' });
  for (let attempt = 1; attempt <= 20; attempt += 1) await fail(id, unreachable());
  await fail(id, rejected());
  expect(await runRow(id)).toMatchObject({ state: 'queued', attempts: 21, error_code: 'rejected' });
});

it('a worker that died has spent an attempt; one that was stopped in order has not', async () => {
  const id = await rig.queue();
  expect((await takeRun(rig.opened.db, id))!.attempts).toBe(0);
  // It is marked as running, and nobody has ended it.
  expect((await takeRun(rig.opened.db, id))!.attempts).toBe(1);
  await queueAgain(rig.opened.db, id);
  expect((await takeRun(rig.opened.db, id))!.attempts).toBe(1);
});

it('a requested run that kills its worker each time fails in the end', async () => {
  const id = await rig.queue();
  await database.query("UPDATE export_runs SET state = 'running', attempts = $2 WHERE id = $1", [id, MAX_ATTEMPTS - 1]);
  await expect(rig.run(id)).rejects.toMatchObject({ code: 'too_many_attempts' });
});
