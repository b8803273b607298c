import { trace } from '@opentelemetry/api';

/** Sends what still waits; gives up after `limitMs`. Does nothing while tracing is off. Never throws. */
export async function flushTraces(limitMs: number): Promise<void> {
  const provider = trace.getTracerProvider() as { getDelegate?: () => { forceFlush?: () => Promise<void> } };
  const flushed = provider
    .getDelegate?.()
    .forceFlush?.()
    .catch(() => {});
  if (flushed === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([flushed, new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)))]);
  clearTimeout(timer);
}
