/**
 * Key of the advisory lock for changing folded projections and their positions: "sluicer" in ASCII, as one number. 0.1.0
 * takes it for its roll-ups. The migration 0010 names it too.
 */
export const ROLLUP_LOCK = 0x736c7569636572n;
