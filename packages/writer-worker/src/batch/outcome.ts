import type { Written } from '@sluice/store/write/write-events';

/** How a batch ended. */
export type Outcome =
  /** Committed, acknowledged and deleted. */
  | { readonly kind: 'settled'; readonly written: Written }
  /** Committed, but Redis did not take the acknowledgement before the deadline: it is delivered again. */
  | { readonly kind: 'unsettled'; readonly written: Written }
  /** Not stored before the deadline of the stop: it stays pending and is delivered again. */
  | { readonly kind: 'abandoned' };
