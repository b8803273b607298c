import type { Client } from 'pg';

/** The number of each in the seeds. */
export const USERS = 200;
export const SESSIONS = 500;
export const WORKBOOKS = 150;
export const TYPES = ['CellChange', 'SheetActivate', 'WorkbookOpen', 'WorkbookSave', 'Login', 'Export', 'Error'];

/** The events are spread over this many days up to now, within the retention. */
export const DAYS = 84;

/** Rows of one INSERT; larger ones are no faster and show no progress. */
const CHUNK = 50_000;

/** Rows of a sealed segment: as many as the maintenance worker closes one at. */
const SEGMENT_ROWS = 500_000;

/** Rows that stay in the hot segment: fewer than that, with room for the tenant of below. Questions find it nearly full. */
const HOT_ROWS = 450_000;

/** Events of one correlation id. */
export const EVENTS_PER_CORRELATION = 20;

/** The tenant in which every event names another resource: the worst case of exact distinct counts. */
export const WIDE_TENANT = 'wide';

/**
 * Makes one row for each number, the same in each run: values come from a hash of the number. Users, sessions and
 * workbooks are skewed like those of fleets: the first tenth of them makes about half of the events.
 */
const MADE = `
  SELECT i, md5($4::text || i)::uuid AS event_id,
         now() - make_interval(days => ${DAYS}) + (make_interval(days => ${DAYS}) * (i::float8 / $3::float8)) AS occurred_at,
         (ARRAY['${TYPES.join("','")}'])[1 + abs(hashint8extended(i, 1) % 7)] AS event_type,
         (${SESSIONS} * power(abs(hashint8extended(i, 2) % 1000000) / 1e6, 3))::int AS session,
         (${WORKBOOKS} * power(abs(hashint8extended(i, 3) % 1000000) / 1e6, 3))::int AS workbook,
         abs(hashint8extended(i, 4) % 5000) AS cell
  FROM generate_series($1::bigint, $2::bigint) AS i`;

const PAYLOAD = `jsonb_build_object('machineName', 'PC-' || session % ${USERS}, 'sheetName', 'Sheet1',
  'cellAddress', '$C$' || cell, 'oldValue', cell::text, 'newValue', (cell + 1)::text)`;

/**
 * Stores events as writers do. Segments are sealed on the way; the last one stays hot. A rebuild makes their sessions.
 *
 * @param options.seal seals the hot segment
 */
export async function storeEvents(
  db: Client,
  options: { tenant: string; rows: number; seal: () => Promise<void>; onProgress: (stored: number) => void },
): Promise<void> {
  const { tenant, rows, seal, onProgress } = options;
  const resource = tenant === WIDE_TENANT ? `'Page ' || i` : `'Budget ' || workbook || '.xlsx'`;
  for (let first = 0; first < rows; first += CHUNK) {
    const last = Math.min(first + CHUNK, rows) - 1;
    await db.query(
      `WITH made AS (${MADE})
       INSERT INTO events (stored_at, tenant, event_id, event_type, occurred_at, received_at, actor, session_id,
                           correlation_id, resource, source, payload)
       SELECT occurred_at + interval '200 ms', $4::text, event_id, event_type, occurred_at, occurred_at + interval '100 ms',
              'user-' || session % ${USERS}, 'session-' || session, 'run-' || i / ${EVENTS_PER_CORRELATION}, ${resource},
              'governance-tracker', ${PAYLOAD}
       FROM made ORDER BY i`,
      [first, last, rows, tenant],
    );
    if ((rows - last - 1) % SEGMENT_ROWS === HOT_ROWS) await seal();
    onProgress(last + 1);
  }
}
