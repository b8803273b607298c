import { randomInt, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import { openDatabase } from '@sluice/store/database';
import { prepareDatabase } from '@sluice/store/prepare-database';
import type { DecodedEntry } from '@sluice/store/write/decode-entry';
import { KnownIds } from '@sluice/store/write/known-ids';
import { writeEvents } from '@sluice/store/write/write-events';
import { eventsOfSession, idOf, type OldDatabase } from './old-database.ts';
import { connect } from './sql.ts';

/** New events in one batch; a few that are stored already come with them. */
const FRESH = 40;
const RESENT = 10;
const PAUSE_MS = 30;

/** SQLSTATEs after which a writer sends the same batch again. */
const TRANSIENT = new Set(['57014', '55P03', '40P01']);

/** A loop that runs until it is stopped, or ends by itself. */
export interface Client {
  /** Ids of the events whose COMMIT was answered. */
  readonly stored: readonly string[];
  /** Why it ended by itself; null while it runs. */
  ended(): Error | null;
  /** @throws what ended it, unless that is expected */
  stop(): Promise<void>;
}

/** Runs what the writer of 0.1.0 sends, as it was recorded, until the database refuses it. */
export async function startOldWriter(url: string, old: OldDatabase): Promise<Client> {
  const recorded = await readFile(
    resolve(import.meta.dirname, '../../../packages/store/test/fixtures/writer-statements-0.1.0.json'),
    'utf8',
  );
  const { text } = (JSON.parse(recorded) as { text: string }[])[0]!;
  const client = await connect(url, 'sluice-writer');
  const loop = startLoop(async (stored) => {
    const fresh = Array.from({ length: FRESH }, () => randomUUID());
    const ids = [...fresh, ...idsOfBefore(old, RESENT / 2), ...someOf(stored, RESENT / 2)];
    await sendUntilAnswered(() => client.query(text, valuesOf(ids)));
    return fresh;
  });
  return {
    ...loop,
    async stop() {
      try {
        await loop.stop();
      } finally {
        await client.end();
      }
    },
  };
}

/** The parameters of the recorded statement, for these events. */
function valuesOf(ids: readonly string[]): string[] {
  const all = (value: string): string => `{${ids.map(() => value).join(',')}}`;
  const payloads = `[${ids.map(() => '{"cellAddress":"B2"}').join(',')}]`;
  const now = new Date().toISOString();
  const of = [all('1'), `{${ids.join(',')}}`, all('CellChange'), all(now), all('ada'), all('during'), all('NULL')];
  return [
    ...of,
    all('NULL'),
    all('NULL'),
    payloads,
    '{default}',
    `{${now}}`,
    '{NULL}',
    '{NULL}',
    '{governance-tracker}',
  ];
}

/**
 * Prepares the database as a writer of 0.2.0 does, and stores by COPY and by the slow way. It knows which ids are new, so it
 * also proves that no other was stored.
 */
export async function startNewWriter(url: string, old: OldDatabase, before: readonly string[]): Promise<Client> {
  const database = openDatabase({ url, poolSize: 3, statementTimeoutMs: 30_000, applicationName: 'sluice-writer' });
  await prepareDatabase(database);
  const known = new KnownIds(database);
  await known.refresh();
  const loop = startLoop(async (stored) => {
    const fresh = Array.from({ length: FRESH }, () => randomUUID());
    const again = [...idsOfBefore(old, 4), ...someOf(before, 3), ...someOf(stored, 3)];
    // Every other batch has only new ids: these are stored by COPY.
    const ids = randomInt(2) === 0 ? fresh : [...fresh, ...again];
    const written = await sendUntilAnswered(() => writeEvents(database, [entryOf(ids)], { known }));
    if (written.stored !== fresh.length)
      throw new Error(
        `${written.stored} events of ${fresh.length} new ones and ${ids.length - fresh.length} others were stored`,
      );
    return fresh;
  });
  return {
    ...loop,
    async stop() {
      try {
        await loop.stop();
      } finally {
        await database.close();
      }
    },
  };
}

function entryOf(ids: readonly string[]): DecodedEntry {
  const now = new Date().toISOString();
  const events = ids.map((eventId): CanonicalEvent => ({ ...EVENT, eventId, occurredAt: now, receivedAt: now }));
  return { ...ENTRY, events, accepted: events.length };
}

const EVENT: Omit<CanonicalEvent, 'eventId' | 'occurredAt' | 'receivedAt'> = {
  tenant: 'default',
  eventType: 'CellChange',
  actor: 'ada',
  sessionId: 'after',
  correlationId: null,
  resource: null,
  clientIp: null,
  traceId: null,
  source: 'governance-tracker',
  flags: null,
  payload: '{}',
};

const ENTRY: Omit<DecodedEntry, 'events' | 'accepted'> = {
  key: 'shard',
  id: '1-0',
  fields: [],
  bytes: 0,
  replayOf: null,
  traceparent: null,
  receivedAt: null,
  decoding: { from: 0, to: 0 },
  unreadable: null,
};

/** Reads, as a role that may only do that, events of before the migration: each answer must be the same as ever. */
export async function startReader(
  url: string,
  old: OldDatabase,
): Promise<Client & { readonly longestMs: () => number }> {
  const readerUrl = new URL(url);
  readerUrl.username = 'reader';
  readerUrl.password = 'reader';
  const client = await connect(readerUrl.href, 'sluice-query');
  let longestMs = 0;
  const loop = startLoop(async () => {
    const k = randomInt(old.sessions);
    const startedAt = performance.now();
    const { rows } = await client.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM events WHERE tenant = 'default' AND session_id = $1",
      [`before-${k}`],
    );
    longestMs = Math.max(longestMs, performance.now() - startedAt);
    const expected = eventsOfSession(old, k);
    if (rows[0]!.count !== expected)
      throw new Error(`the session before-${k} has ${rows[0]!.count} events instead of ${expected}`);
    return [`before-${k}`];
  });
  return {
    ...loop,
    longestMs: () => longestMs,
    async stop() {
      try {
        await loop.stop();
      } finally {
        await client.end();
      }
    },
  };
}

/** Ids of events of before the migration, chosen by chance. */
function idsOfBefore({ events }: OldDatabase, count: number): string[] {
  return [...new Set(Array.from({ length: count }, () => idOf(randomInt(events))))];
}

function someOf(ids: readonly string[], count: number): string[] {
  if (ids.length === 0) return [];
  return [...new Set(Array.from({ length: count }, () => ids[randomInt(ids.length)]!))];
}

async function sendUntilAnswered<T>(send: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (!TRANSIENT.has((error as { code?: string }).code ?? '')) throw error;
    }
  }
}

/** @param turn returns the ids that it has stored */
function startLoop(turn: (stored: readonly string[]) => Promise<readonly string[]>): Client {
  const stored: string[] = [];
  const stopped = new AbortController();
  let ended: Error | null = null;
  const running = (async () => {
    try {
      while (!stopped.signal.aborted) {
        stored.push(...(await turn(stored)));
        await delay(PAUSE_MS);
      }
    } catch (error) {
      ended = error as Error;
    }
  })();
  return {
    stored,
    ended: () => ended,
    async stop() {
      stopped.abort();
      await running;
    },
  };
}
