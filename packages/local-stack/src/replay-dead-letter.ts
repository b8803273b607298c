import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { readDatabaseUrl } from '@sluice/daemon/config/database-url';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import { visible } from '@sluice/errors/visible';

/** The type of event that the table is made to refuse for a moment. */
const REFUSED_TYPE = 'DemoRefused';
const CHECK_EVERY_MS = 100;

/** The stack that the demo works on. */
export interface DeadLetterDemo {
  databaseUrl: string;
  ingestUrl: string;
  queryUrl: string;
  apiKey: string | undefined;
  /** Good events in the same request; none if not given. */
  beside?: number;
  /** Of the client that sends it. */
  traceparent?: string;
  signal: AbortSignal;
  report: (line: string) => void;
}

/**
 * Shows what happens to an event that can't be stored. It makes the table refuse one type of event, sends one, waits
 * until it is a dead letter, makes the table accept it again, and replays it. Answers whether it was stored once.
 */
export async function replayDeadLetter({
  databaseUrl,
  ingestUrl,
  queryUrl,
  apiKey,
  beside = 0,
  traceparent,
  signal,
  report,
}: DeadLetterDemo): Promise<boolean> {
  const client = new Client({ ...readDatabaseUrl(databaseUrl), application_name: 'sluice-demo' });
  client.on('error', () => {});
  await client.connect();
  const headers = { 'content-type': 'application/json', ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }) };
  const call = async (url: string, body?: unknown, more = {}): Promise<Record<string, unknown>> => {
    const sent = { headers: { ...headers, ...more }, signal };
    const answer = await fetch(
      url,
      body === undefined ? sent : { ...sent, method: 'POST', body: JSON.stringify(body) },
    );
    if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${visible(await answer.text())}`);
    return (await answer.json()) as Record<string, unknown>;
  };
  const eventId = randomUUID();
  try {
    await refuse(client);
    const event = { eventId, eventType: REFUSED_TYPE, timestamp: new Date().toISOString(), userName: 'ada' };
    const good = Array.from({ length: beside }, () => ({ ...event, eventId: randomUUID(), eventType: 'CellChange' }));
    const sender = traceparent === undefined ? {} : { traceparent };
    await call(`${ingestUrl}/api/events`, { events: [...good, event] }, sender);
    const letter = await until(signal, async () => {
      const { dead_letters: letters } = await call(`${queryUrl}/api/dead-letters?event_type=${REFUSED_TYPE}`);
      return (letters as { id: string; event_id: string; reason: string; message: string }[]).find(
        (each) => each.event_id === eventId,
      );
    });
    if (letter === undefined) return false;
    report(visible(`dead letter ${letter.id}: ${letter.reason}, "${letter.message}"`));
    await allow(client);
    const { id } = await call(`${queryUrl}/api/dead-letters/replays`, { ids: [letter.id], reason: 'demo' });
    const replay = await until(signal, async () => {
      const found = await call(`${queryUrl}/api/dead-letters/replays/${String(id)}`);
      return ['succeeded', 'failed', 'cancelled'].includes(String(found['state'])) ? found : undefined;
    });
    const { rows } = await client.query('SELECT 1 FROM events WHERE event_id = $1', [eventId]);
    report(
      `the table accepts it again, the dead letter was replayed (${visible(String(replay?.['state']))}) and is stored ${rows.length === 1 ? 'once' : `${rows.length} times`}`,
    );
    return rows.length === 1;
  } finally {
    await allow(client).catch(() => {});
    await client.end();
  }
}

/** Asks until there is an answer; undefined when stopped first. */
async function until<T>(signal: AbortSignal, ask: () => Promise<T | undefined>): Promise<T | undefined> {
  while (!signal.aborted) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await waitOrAbort(CHECK_EVERY_MS, signal);
  }
  return undefined;
}

async function refuse(client: Client): Promise<void> {
  await client.query(`CREATE OR REPLACE FUNCTION sluice_demo_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'refused, to show what happens then' USING ERRCODE = '22023'; END $$`);
  await client.query(`CREATE OR REPLACE TRIGGER sluice_demo_refuse BEFORE INSERT ON events FOR EACH ROW
    WHEN (NEW.event_type = '${REFUSED_TYPE}') EXECUTE FUNCTION sluice_demo_refuse()`);
}

async function allow(client: Client): Promise<void> {
  await client.query('DROP FUNCTION IF EXISTS sluice_demo_refuse() CASCADE');
}
