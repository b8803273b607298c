import { ConfigError } from '../config/config-error.ts';
import { readEnvironment } from '../config/read-environment.ts';
import { readTracingConfig, type TracingConfig } from './read-tracing-config.ts';

/**
 * Starts tracing in this process when OTEL_EXPORTER_OTLP_ENDPOINT is set. Otherwise nothing is loaded: the SDK with its
 * instrumentations takes about half a second.
 */
export async function startTracing(daemon: string): Promise<void> {
  const config = tracingConfig();
  if (config === null) return;
  const { startSdk } = await import('./start-sdk.ts');
  startSdk(daemon, config);
}

/** @returns null also when `.env` cannot be read: the daemon reports it */
function tracingConfig(): TracingConfig | null {
  try {
    return readTracingConfig(readEnvironment());
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
}
