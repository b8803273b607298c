import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { startStack } from '@sluice/local-stack/stack';
import { untilReady } from '@sluice/local-stack/until-ready';

/** Of the stack with keys: every scope, and every tenant. */
export const API_KEY = 'the-key-of-the-long-suite';

const EVENTS = 60;
const DEAD = 20;

export interface FilledStack {
  /** Of the two APIs, by name. */
  readonly urls: Readonly<Record<'ingest-api' | 'query-api', string>>;
  stop(): Promise<void>;
}

/**
 * Starts a stack with some events, sessions and dead letters in it. It has no maintenance worker: what requests ask that
 * one to do would take long, and exports could go to servers that a request has made up.
 */
export async function startFilledStack(dataDir: string, keyed: boolean, signal: AbortSignal): Promise<FilledStack> {
  const stack = await startStack({
    dataDir,
    env: {
      PATH: process.env['PATH'],
      INGEST_PORT: '0',
      QUERY_PORT: '0',
      WRITER_PORT: '0',
      RATE_LIMIT_PER_MINUTE: '0',
      ...(keyed ? { API_KEY } : {}),
    },
    daemons: ['writer-worker', 'query-api', 'ingest-api'],
    report: (line) => process.stdout.write(`${line}\n`),
    signal,
  });
  try {
    const [ingest, query] = [stack.daemons['ingest-api']!.url, stack.daemons['query-api']!.url];
    await Promise.all(Object.values(stack.daemons).map(({ name, url }) => untilReady(name, url, signal)));
    await fill(stack.databaseUrl, ingest, keyed);
    return { urls: { 'ingest-api': ingest, 'query-api': query }, stop: () => stack.stop() };
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

async function fill(databaseUrl: string, ingest: string, keyed: boolean): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '22023'; END $$`);
    await client.query(`CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW
      WHEN (NEW.event_type = 'Refused') EXECUTE FUNCTION refuse()`);
    const events = Array.from({ length: EVENTS + DEAD }, (_, at) => ({
      eventId: randomUUID(),
      eventType: at < EVENTS ? 'CellChange' : 'Refused',
      timestamp: new Date().toISOString(),
      userName: `user-${at % 5}`,
      sessionId: `session-${at % 7}`,
      workbookName: 'Budget.xlsx',
    }));
    const answer = await fetch(`${ingest}/api/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(keyed ? { 'x-api-key': API_KEY } : {}) },
      body: JSON.stringify({ events }),
    });
    if (answer.status !== 202) throw new Error(`ingest answered ${answer.status}: ${await answer.text()}`);
    for (;;) {
      const { rows } = await client.query<{ stored: string; dead: string }>(
        'SELECT (SELECT count(*) FROM events) AS stored, (SELECT count(*) FROM dead_letters) AS dead',
      );
      if (Number(rows[0]!.stored) === EVENTS && Number(rows[0]!.dead) === DEAD) return;
      await delay(100);
    }
  } finally {
    await client.end();
  }
}
