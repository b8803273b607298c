import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Edit, needsRealEdits, readRealEdits, realEditsAreThere } from '@sluice/testkit/real-edits';
import { type RolledUp, startRolledUp } from './fixtures/rolled-up.ts';

const tenantOf = (batch: number): string => ['en', 'de', 'fr'][batch % 3]!;

describe.skipIf(!realEditsAreThere)('30,000 real edits', needsRealEdits, () => {
  let rig: RolledUp;
  let edits: Edit[];
  beforeAll(async () => {
    edits = readRealEdits();
    rig = await startRolledUp();
  });
  afterAll(() => rig.stop());

  /** Stores edits in one transaction. */
  async function store(batch: Edit[], tenant: string): Promise<void> {
    await rig.database.query(
      `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, actor, session_id, resource, source, payload)
       SELECT $1, (e->>'eventId')::uuid, e->>'eventType', (e->>'timestamp')::timestamptz, now(), e->>'userName',
              e->>'sessionId', e->>'workbookName', 'test', '{}' FROM jsonb_array_elements($2::jsonb) AS e`,
      [tenant, JSON.stringify(batch)],
    );
  }

  it('are rolled up as a plain count of the file has it, value by value', async () => {
    const size = 1_000;
    for (let at = 0; at * size < edits.length; at += 1) {
      await store(edits.slice(at * size, (at + 1) * size), tenantOf(at));
      // Folds between the batches: what comes later is added to hours that are there.
      if (at === 10) await rig.foldUntil(11_000);
    }
    await rig.foldUntil(30_000);

    const count = (length: number): Map<string, number> => {
      const counts = new Map<string, number>();
      edits.forEach((edit, at) => {
        const bucket = edit.timestamp.slice(0, length);
        const values = {
          event_type: edit.eventType,
          actor: edit.userName,
          session_id: edit.sessionId,
          resource: edit.workbookName,
        };
        for (const [dimension, value] of Object.entries(values)) {
          if (value === null) continue;
          const key = JSON.stringify([tenantOf(Math.floor(at / size)), dimension, bucket, value]);
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
      });
      return counts;
    };
    for (const [table, length] of [
      ['rollup_hours', '2015-09-11T00'.length],
      ['rollup_days', '2015-09-11'.length],
    ] as const) {
      const rows = await rig.database.query<Record<string, string> & { bucket: Date; events: number }>(
        `SELECT tenant, dimension, bucket, value, events::int FROM ${table}`,
      );
      const rolledUp = new Map(
        rows.map((row) => [
          JSON.stringify([row['tenant'], row['dimension'], row.bucket.toISOString().slice(0, length), row['value']]),
          row.events,
        ]),
      );
      expect(rolledUp.size).toBe(rows.length);
      const counted = count(length);
      expect(rolledUp.size).toBe(counted.size);
      expect([...counted].filter(([key, events]) => rolledUp.get(key) !== events)).toEqual([]);
    }
  });
});
