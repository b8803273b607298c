import { setTimeout as delay } from 'node:timers/promises';

const ASK_EVERY_MS = 100;
/** Spans are sent once a second. */
const PATIENCE_MS = 15_000;

/** How many of a daemon's spans were exported and dropped. */
export interface Spans {
  readonly exported: number;
  readonly dropped: number;
}

/** Reads a daemon's own counts. */
export async function spansOf(daemonUrl: string, signal: AbortSignal): Promise<Spans> {
  const answer = await fetch(`${daemonUrl}/metrics`, { signal });
  const text = await answer.text();
  const sum = (name: string): number =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce(
      (all, [, value]) => all + Number(value),
      0,
    );
  return { exported: sum('sluice_spans_exported_total'), dropped: sum('sluice_spans_dropped_total') };
}

/** Waits until a daemon has exported a span: tracing that exports nothing would look very cheap. */
export async function untilTraced(daemonUrl: string, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  while ((await spansOf(daemonUrl, signal)).exported === 0) {
    if (performance.now() > giveUpAt) throw new Error(`${daemonUrl} is to trace everything, and traces nothing`);
    await delay(ASK_EVERY_MS, undefined, { signal });
  }
}
