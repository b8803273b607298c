import { activeProvider } from './active-provider.ts';

/** Sends what still waits; gives up after `limitMs`. Does nothing while tracing is off. Never throws. */
export async function flushTraces(limitMs: number): Promise<void> {
  const flushed = activeProvider()
    ?.forceFlush()
    .catch(() => {});
  if (flushed === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([flushed, new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)))]);
  clearTimeout(timer);
}
