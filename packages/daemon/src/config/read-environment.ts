import { readEnvFile } from './env-file.ts';
import { isLibpqVariable } from './libpq-variables.ts';

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the environment of the process, and the file `.env` of the working directory if there is one. The environment
 * wins. A blank value is returned as an empty one. Daemons read `process.env` nowhere else.
 *
 * Libraries read it too, so it is changed for them. pg would fill in from PG* what DATABASE_URL leaves out: these are
 * taken away. OpenTelemetry's SDK does not know `.env`: it gets the variables that start with OTEL_.
 *
 * @throws ConfigError when the file cannot be read as it was meant
 */
export function readEnvironment(envFile = '.env'): Environment {
  const environment: Record<string, string | undefined> = { ...readEnvFile(envFile), ...process.env };
  for (const [name, value] of Object.entries(environment)) {
    if (isLibpqVariable(name)) delete process.env[name];
    if (name.startsWith('OTEL_')) process.env[name] ??= value;
    if (value?.trim() === '') environment[name] = '';
  }
  return environment;
}
