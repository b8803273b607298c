import { expect, test } from 'vitest';
import type { StackHandle } from '../../src/stack.ts';
import { startBanner } from '../../src/start-banner.ts';

const stack: StackHandle = {
  databaseUrl: 'postgres://sluice:secret@127.0.0.1:15432/sluice',
  redisUrl: 'redis://:secret@127.0.0.1:16379',
  daemons: {},
  stop: async () => {},
};

test('each start shows an event with a new id and the present time, and how to find it', () => {
  const shown = [startBanner(stack, {}), startBanner(stack, {})].map((banner) => {
    const { events } = JSON.parse(/-d '(.+)'/.exec(banner)![1]!) as {
      events: { eventId: string; timestamp: string }[];
    };
    expect(Math.abs(Date.parse(events[0]!.timestamp) - Date.now())).toBeLessThan(60_000);
    expect(banner).toContain(`/api/events/${events[0]!.eventId}`);
    return events[0]!.eventId;
  });
  expect(shown[0]).not.toBe(shown[1]);
});
