import type { Client } from 'pg';

/** Rows of one INSERT; larger ones are no faster and can't be stopped. */
const CHUNK = 50_000;

/** Skewed like the generated load, with the same session and correlation lengths. */
const MADE = `
  SELECT md5($3::text || i)::uuid AS event_id, now() - interval '1 hour' + i * interval '100 us' AS occurred_at,
         (400 * power(random(), 3))::int AS person, (60 * power(random(), 3))::int AS workbook,
         (ARRAY['CellChange', 'SheetActivate', 'WorkbookSave', 'WorkbookOpen'])[1 + i % 4] AS event_type, i
  FROM generate_series($1::bigint, $2::bigint) AS i`;

const COLUMNS = `'user-' || person, 'session-' || person || '-' || i / 50000, 'demo-' || i / 100, 'Budget ' || workbook || '.xlsx',
  jsonb_build_object('machineName', 'PC-' || person, 'sheetName', 'Sheet1', 'cellAddress', '$C$' || i % 500,
                     'oldValue', i::text, 'newValue', (i + 1)::text)`;

/** Sessions as peers count them, in the writing transaction; Sluice folds them. */
const SEEN = `seen AS (
    INSERT INTO sessions AS s (tenant, session_id, actor, started_at, last_event_at, last_seen_at, event_count)
    SELECT 'default', 'session-' || person || '-' || i / 50000, min('user-' || person), min(occurred_at), max(occurred_at), now(), count(*)
    FROM made GROUP BY 2
    ON CONFLICT (tenant, session_id) DO UPDATE SET
      last_event_at = excluded.last_event_at, event_count = s.event_count + excluded.event_count
  )`;

const INTO_SLUICE = `
  WITH made AS MATERIALIZED (${MADE})
  INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source,
                      actor, session_id, correlation_id, resource, payload)
  SELECT 'default', event_id, event_type, occurred_at, now(), 'governance-tracker', ${COLUMNS} FROM made`;

const INTO_PEER = `
  WITH made AS MATERIALIZED (${MADE}), ${SEEN}
  INSERT INTO events (event_id, event_type, occurred_at, actor, session_id, correlation_id, resource, payload)
  SELECT event_id, event_type, occurred_at, ${COLUMNS} FROM made`;

/**
 * Stores rows by SQL alone. All go to the partition of this week, so that the partition that is written to is as large as
 * possible.
 *
 * @param seed different seeds make different ids
 */
export async function storeRows(
  db: Client,
  options: {
    rows: number;
    schema: 'sluice' | 'peer';
    seed: string;
    signal: AbortSignal;
    onProgress: (rows: number) => void;
  },
): Promise<void> {
  const statement = options.schema === 'sluice' ? INTO_SLUICE : INTO_PEER;
  for (let first = 0; first < options.rows; first += CHUNK) {
    options.signal.throwIfAborted();
    const last = Math.min(first + CHUNK, options.rows) - 1;
    await db.query(statement, [first, last, options.seed]);
    options.onProgress(last + 1);
  }
  await db.query('VACUUM ANALYZE events');
  await db.query('CHECKPOINT');
}
