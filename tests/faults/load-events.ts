import type { Random } from '@sluice/testkit/random';

/** The event type that a fault's trigger refuses. */
export const POISON_TYPE = 'Poison';

/** An event as its client sends it. */
export interface LoadEvent {
  readonly eventId: string;
  readonly eventType: string;
  readonly [name: string]: unknown;
}

/** Few sessions, so that transactions compete for their rows. */
export const SESSION_COUNT = 12;

/** Makes events, ids included, from the random source alone; a share of them is poison. */
export function makeLoadEvents(count: number, random: Random, poisonShare: number): LoadEvent[] {
  return Array.from({ length: count }, () => ({
    eventId: uuid(random),
    eventType: random.int(10_000) < poisonShare * 10_000 ? POISON_TYPE : random.pick(['CellChange', 'Save']),
    timestamp: new Date(Date.UTC(2026, 0, 1) + random.int(86_400_000)).toISOString(),
    userName: random.pick(['ada', 'grace', 'edsger']),
    // Some belong to no session.
    ...(random.int(10) === 0 ? {} : { sessionId: `session-${random.int(SESSION_COUNT)}` }),
    workbookName: 'Budget.xlsx',
    cellAddress: `B${random.int(1_000)}`,
    newValue: 'x'.repeat(random.int(200)),
  }));
}

function uuid(random: Random): string {
  const hex = Array.from({ length: 8 }, () => random.int(0x1_0000).toString(16).padStart(4, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}
