import { randomUUID } from 'node:crypto';

/** An event as a governance tracker's client sends it. */
export type WireEvent = Record<string, unknown>;

/** A valid event; `properties` replaces or adds. */
export function makeEvent(properties: WireEvent = {}): WireEvent {
  return {
    eventId: randomUUID(),
    eventType: 'CellChange',
    timestamp: '2026-01-31T09:30:00.000Z',
    userName: 'ada',
    sessionId: 'session-1',
    workbookName: 'Budget.xlsx',
    cellAddress: 'B7',
    oldValue: '41',
    newValue: '42',
    ...properties,
  };
}

/** `count` valid events. */
export function makeEvents(count: number, properties: WireEvent = {}): WireEvent[] {
  return Array.from({ length: count }, () => makeEvent(properties));
}
