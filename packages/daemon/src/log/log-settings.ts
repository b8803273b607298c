import { isReadableByOthers } from '../config/env-file.ts';
import { FOREIGN_VARIABLES, isIgnoredByTracing } from '../config/foreign-variables.ts';
import { isDebug } from '../config/given-values.ts';
import { isLibpqVariable } from '../config/libpq-variables.ts';
import type { Environment } from '../config/read-environment.ts';
import { isServiceLink } from '../config/service-links.ts';
import type { Logger } from './logger.ts';

/**
 * Warns of each variable that has no effect on this daemon and may have been meant for it, and of a file of secrets that
 * others may read. What is wrong has been refused by `readConfig`.
 */
export function logSettings(
  logger: Logger,
  environment: Environment,
  { usesDatabase, envFile = '.env' }: { usesDatabase: boolean; envFile?: string },
): void {
  const set = Object.entries(environment).filter(([, value = '']) => value.trim() !== '');
  const links = set.filter(([name, value = '']) => isServiceLink(name, value)).map(([name]) => name);
  for (const [variable, value = ''] of set) {
    if (links.includes(variable)) continue;
    const hint = hintFor(variable, value, environment, usesDatabase);
    if (hint !== null) logger.warn({ variable, hint }, 'a variable has no effect');
  }
  if (isDebug(environment) && !environment['LOG_LEVEL']?.trim())
    logger.warn({ variable: 'DEBUG', hint: 'set LOG_LEVEL=debug' }, 'DEBUG sets the log level to debug');
  const ours = links.filter((name) => /^(?:SLUICE_\w+|(?:INGEST|QUERY|WRITER|MAINTENANCE)_PORT)$/.test(name));
  if (ours.length > 0) logger.info({ variables: ours }, 'variables that Kubernetes set for its services are left out');
  if (isReadableByOthers(envFile))
    logger.warn(
      { file: envFile, hint: `chmod 600 ${envFile}` },
      'other users of this machine may read the file of variables',
    );
}

function hintFor(name: string, value: string, environment: Environment, usesDatabase: boolean): string | null {
  if (isLibpqVariable(name)) return usesDatabase ? 'DATABASE_URL alone says how to connect' : null;
  if (isIgnoredByTracing(name, value))
    return 'docs/reference/spans.md names the variables of OpenTelemetry that are read';
  if (name === 'DEBUG' && isDebug(environment) && environment['LOG_LEVEL']?.trim()) return 'LOG_LEVEL decides';
  return Object.hasOwn(FOREIGN_VARIABLES, name) ? FOREIGN_VARIABLES[name]! : null;
}
