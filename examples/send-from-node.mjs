// Sends a batch of events, and handles each answer as a client should: node examples/send-from-node.mjs [USER]
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';

const url = `${process.env.INGEST_URL ?? 'http://127.0.0.1:8080'}/api/events`;
const key = process.env.API_KEY;
const [user = 'ada'] = process.argv.slice(2);

/** How often the client sends one batch before it gives up. */
const ATTEMPTS = 5;

/**
 * Sends a batch until it is accepted. The events have ids, so that sending them again after a lost answer stores none twice.
 *
 * @returns the answer of the 202: what was accepted, and why the rest was not
 */
async function send(events) {
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key ? { 'x-api-key': key } : {}) },
      body: JSON.stringify({ events }),
      signal: AbortSignal.timeout(10_000),
    }).catch((error) => error);
    if (response.status === 202) return response.json();
    // 429: the queue is full. 503: Redis is away. Both say when to try again. No answer at all deserves another attempt too.
    const passes = response instanceof Error || response.status === 429 || response.status === 503;
    if (!passes || attempt === ATTEMPTS) {
      throw new Error(response instanceof Error ? response.message : `${response.status}: ${await response.text()}`);
    }
    const seconds = response instanceof Error ? attempt : Number(response.headers.get('retry-after') ?? attempt);
    await wait(seconds * 1_000);
  }
}

const now = Date.now();
const events = Array.from({ length: 10 }, (_, at) => ({
  eventId: randomUUID(),
  eventType: 'CellChange',
  timestamp: new Date(now + at).toISOString(),
  userName: user,
  sessionId: `${user}-${now}`,
  workbookName: 'Budget.xlsx',
  cellAddress: `B${at + 1}`,
  newValue: String(at),
}));

const { accepted, rejected, errors, durability } = await send(events);
console.log(`${accepted} accepted (${durability}), ${rejected} rejected`);
for (const error of errors) console.log(JSON.stringify(error));
