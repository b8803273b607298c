import { trace } from '@opentelemetry/api';

/** What OpenTelemetry's SDK adds to the API. */
interface ActiveProvider {
  forceFlush(): Promise<void>;
}

/** The SDK that OpenTelemetry's API uses in this process; undefined when none was started. */
export function activeProvider(): ActiveProvider | undefined {
  const provider = trace.getTracerProvider() as { getDelegate?: () => Partial<ActiveProvider> };
  const delegate = provider.getDelegate?.();
  return delegate?.forceFlush === undefined ? undefined : (delegate as ActiveProvider);
}
