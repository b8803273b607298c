import { readEnvironment } from '../config/read-environment.ts';
import { readTracingConfig } from './read-tracing-config.ts';

/**
 * Starts tracing in this process when OTEL_EXPORTER_OTLP_ENDPOINT is set. Otherwise nothing is loaded: the SDK with its
 * instrumentations takes about half a second.
 */
export async function startTracing(daemon: string): Promise<void> {
  const config = readTracingConfig(readEnvironment());
  if (config === null) return;
  const { startSdk } = await import('./start-sdk.ts');
  startSdk(daemon, config);
}
