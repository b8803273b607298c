import type { Door } from './door.ts';
import { governanceTrackerDoors } from './governance-tracker/doors.ts';
import { webCollectionDoors } from './web-collection/doors.ts';

/** Every way into ingest. This list is apart from the adapters because only ingest needs it. */
export const DOORS: readonly Door[] = [...governanceTrackerDoors, ...webCollectionDoors];
