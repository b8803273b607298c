import type { DestinationStream } from 'pino';
import { standardOutput } from './logger.ts';

/** Values of LOG_FORMAT. */
export type LogFormat = 'auto' | 'json' | 'pretty';

/** Where the log goes: standard output, for people when a terminal shows it or LOG_FORMAT says so. */
export async function logOutput(format: LogFormat): Promise<DestinationStream> {
  const output = standardOutput();
  if (format === 'json' || (format === 'auto' && !process.stdout.isTTY)) return output;
  // Only here: nobody needs it in production.
  const { prettyOutput } = await import('./pretty-output.ts');
  return prettyOutput(output);
}
