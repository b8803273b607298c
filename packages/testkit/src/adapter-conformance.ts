import { cutEventsStandAlone } from './adapter-conformance/cut-events-stand-alone.ts';
import { fastWayAgrees } from './adapter-conformance/fast-way-agrees.ts';
import { keysReachNoEntry } from './adapter-conformance/keys-reach-no-entry.ts';
import { limitsOfBatchesHold, limitsOfEventsHold } from './adapter-conformance/limits-hold.ts';
import { readingReturnsWhatWasSent } from './adapter-conformance/reading-returns-what-was-sent.ts';
import { storesWhatIsAccepted } from './adapter-conformance/stores-what-is-accepted.ts';
import type { Specimen } from './specimens/specimen.ts';

/**
 * Each promise of an adapter, by its name. A function throws where the adapter breaks its promise. Requests go through the
 * real doors and the real `acceptBatch`; the writer's `decodeEntry` reads what they would put on the stream.
 */
export const PROMISES: Readonly<Record<string, (specimen: Specimen) => Promise<void>>> = {
  'the writer stores exactly the accepted events, under the ids they have on their own': storesWhatIsAccepted,
  'an event that is cut out of a batch is a valid body alone': cutEventsStandAlone,
  'the limits of an event hold': limitsOfEventsHold,
  'the limits of a batch hold': limitsOfBatchesHold,
  'the fast way accepts nothing that the long way does not': fastWayAgrees,
  'reading returns what was sent': readingReturnsWhatWasSent,
  'a key reaches no entry': keysReachNoEntry,
};
