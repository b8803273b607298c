import { expect } from 'vitest';
import { readRequest } from '@sluice/accept/read-request';
import { bodyOf } from '@sluice/events/adapters/event-adapter';
import { forSeeds } from '../random.ts';
import type { Specimen } from '../specimens/specimen.ts';
import { LIMITS } from './accept-request.ts';

/** An event that is cut out of a batch is a valid body alone. */
export async function cutEventsStandAlone(specimen: Specimen): Promise<void> {
  const { adapter } = specimen;
  forSeeds((random) => {
    const sent = Array.from({ length: adapter.holds === 'one' ? 1 : 1 + random.int(5) }, () => specimen.event(random));
    for (const door of specimen.doors) {
      const request = door.request(sent, null);
      if (request === null) continue;
      const { body } = readRequest(door.door, request, LIMITS);
      const cut = adapter.locate(body).map(({ start, end }) => body.toString('utf8', start, end));
      expect(cut.map((event) => JSON.parse(event) as unknown)).toEqual(
        sent.map((event) => JSON.parse(event) as unknown),
      );
      for (const event of cut)
        expect(adapter.eventsOf(JSON.parse(bodyOf(adapter, event)))).toEqual([JSON.parse(event)]);
      if (adapter.holds === 'one') continue;
      // A rejected event is cut out, and a null is left in its position.
      const { open, close } = adapter.around;
      const withGap: unknown = JSON.parse(`${open}null,${cut.join(',')}${close}`);
      expect(adapter.eventsOf(withGap)).toEqual([null, ...sent.map((event) => JSON.parse(event) as unknown)]);
    }
  });
  return Promise.resolve();
}
