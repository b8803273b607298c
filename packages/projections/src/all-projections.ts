import type { Projection } from '@sluice/store/projection';
import { counts } from './counts/counts.ts';

/** Every projection of stored events. */
export const PROJECTIONS: readonly Projection[] = [counts];
