import { visible } from '@sluice/errors/visible';

/** The message of a writer's log line about new dead letters; each transaction with some writes one. */
export const DEAD_LETTERS = 'events became dead letters';

/** Transactions within this time share one notice: a bad client makes dead letters many times a second. */
const COLLECT_MS = 1_000;

export interface DeadLetterNotice {
  /** Counts the events of a log line. */
  add(line: { readonly dead?: unknown; readonly reasons?: unknown }): void;
  /** Shows what has been counted and not shown yet. */
  flush(): void;
}

/** Shows how many events became dead letters, why, and the command that lists them. */
export function countDeadLetters(show: (line: string) => void): DeadLetterNotice {
  let count = 0;
  const reasons = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (count === 0) return;
    const why = reasons.size === 0 ? '' : ` (${visible([...reasons].join(', '))})`;
    const what = count === 1 ? 'event became a dead letter' : DEAD_LETTERS;
    show(`warn   ${count.toLocaleString('en')} ${what}${why}: ./sluice dead-letters list`);
    count = 0;
    reasons.clear();
  };
  return {
    add({ dead, reasons: more }) {
      if (typeof dead === 'number') count += dead;
      if (Array.isArray(more)) for (const reason of more) reasons.add(String(reason));
      timer ??= setTimeout(flush, COLLECT_MS).unref();
    },
    flush,
  };
}
