import type { Projection } from '@sluice/store/projection';
import { counts } from './counts/counts.ts';
import { sessions } from './sessions/sessions.ts';

/** Every projection of stored events. */
export const PROJECTIONS: readonly Projection[] = [counts, sessions];
