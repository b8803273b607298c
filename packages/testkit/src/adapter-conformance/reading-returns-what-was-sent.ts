import { expect } from 'vitest';
import type { JsonObject } from '@sluice/events/adapters/event-adapter';
import type { StoredEvent } from '@sluice/events/adapters/to-wire';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import { replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import { forSeeds } from '../random.ts';
import type { Specimen } from '../specimens/specimen.ts';
import { canonical, originOf } from './decode-rows.ts';

/** Reading returns what was sent. */
export async function readingReturnsWhatWasSent(specimen: Specimen): Promise<void> {
  forSeeds((random) => {
    const json = specimen.event(random);
    const sent = replaceUnstorableText(parseKeepingDigits(json)) as JsonObject;
    const { payload, ...event } = canonical(specimen, json, originOf('0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11', 0));
    const back = specimen.adapter.toWire(rowOf(event), parseKeepingDigits(payload) as JsonObject);
    const wanted = specimen.givenBack(sent, event.eventId);
    expect(JSON.parse(JSON.stringify(back))).toEqual(JSON.parse(JSON.stringify(wanted)));
  });
  return Promise.resolve();
}

/** The row as Postgres returns it. */
function rowOf(event: Omit<CanonicalEvent, 'payload'>): StoredEvent {
  return {
    event_id: event.eventId,
    event_type: event.eventType,
    occurred_at: event.occurredAt.replace(/(?:\.(\d+))?Z$/, (_, digits = '') => `.${String(digits).padEnd(6, '0')}Z`),
    actor: event.actor,
    session_id: event.sessionId,
    correlation_id: event.correlationId,
    resource: event.resource,
    source: event.source,
    payload: '{}',
  };
}
