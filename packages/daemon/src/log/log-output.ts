import type { DestinationStream } from 'pino';
import { standardOutput } from './logger.ts';

/** Values of LOG_FORMAT. */
export type LogFormat = 'auto' | 'json' | 'pretty';

/** Opens standard output for the log; in the form for people when it is a terminal or LOG_FORMAT says so. */
export async function logOutput(format: LogFormat): Promise<DestinationStream> {
  const output = standardOutput();
  if (format === 'json' || (format === 'auto' && !process.stdout.isTTY)) return output;
  // Loaded only here: production does not need it.
  const { prettyOutput } = await import('./pretty-output.ts');
  return prettyOutput(output);
}
