import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The process's environment over the file `.env` of the working directory, if there is one: what the
 * caller set wins. This is the one place that reads `process.env` for the daemons.
 */
export function readEnvironment(envFile = '.env'): Environment {
  return { ...readEnvFile(envFile), ...process.env };
}

function readEnvFile(path: string): Environment {
  try {
    return parseEnv(readFileSync(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
