import { withTimeout } from '../retry/with-timeout.ts';
import { activeProvider } from './active-provider.ts';

/** Sends the spans that still wait, and gives up after `limitMs`. Does nothing while tracing is off. Never throws. */
export async function flushTraces(limitMs: number): Promise<void> {
  const flushed = activeProvider()?.forceFlush();
  // A collector that is away or late is no reason to fail: the process ends.
  if (flushed !== undefined) await withTimeout(flushed, limitMs).catch(() => {});
}
