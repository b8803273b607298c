import type { Written } from '@sluice/store/write/write-events';

/** How a batch ended. */
export type Outcome =
  /** Committed, acknowledged and deleted. */
  | { readonly kind: 'settled'; readonly written: Written }
  /** Committed, but not acknowledged before the deadline: its entries are delivered again. */
  | { readonly kind: 'unsettled'; readonly written: Written }
  /** Not stored before the deadline of the stop: its entries stay pending and are delivered again. */
  | { readonly kind: 'abandoned' };
