import type { EventAdapter } from './event-adapter.ts';
import { governanceTracker } from './governance-tracker/governance-tracker.ts';
import { webCollection } from './web-collection/web-collection.ts';

const ADAPTERS: ReadonlyMap<string, EventAdapter> = new Map(
  [governanceTracker, webCollection].map((adapter) => [adapter.source, adapter]),
);

/** The adapter that an entry's header names; undefined for a source this version does not know. */
export function adapterBySource(source: string): EventAdapter | undefined {
  return ADAPTERS.get(source);
}
