import { governanceTrackerSpecimen } from './governance-tracker.ts';
import type { Specimen } from './specimen.ts';
import { webCollectionSpecimen } from './web-collection.ts';

/** One for each adapter of the registry; a test compares both. */
export const SPECIMENS: readonly Specimen[] = [governanceTrackerSpecimen, webCollectionSpecimen];
