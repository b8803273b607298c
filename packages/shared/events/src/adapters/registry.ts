import type { EventAdapter } from './event-adapter.ts';
import { governanceTracker } from './governance-tracker/governance-tracker.ts';
import { webCollection } from './web-collection/web-collection.ts';

/** Every wire shape that this version knows. Metrics, docs and the conformance suite follow this list. */
export const ADAPTERS: readonly EventAdapter[] = [governanceTracker, webCollection];

const BY_SOURCE: ReadonlyMap<string, EventAdapter> = new Map(ADAPTERS.map((adapter) => [adapter.source, adapter]));

/** The adapter that an entry's header names; undefined for a source that this version does not know. */
export function adapterBySource(source: string): EventAdapter | undefined {
  return BY_SOURCE.get(source);
}
