import { isReadableByOthers, namesWithReference, repeatedNames } from '../config/env-file.ts';
import { FOREIGN_VARIABLES, isIgnoredByTracing } from '../config/foreign-variables.ts';
import { isDebug } from '../config/given-values.ts';
import { isLibpqVariable } from '../config/libpq-variables.ts';
import { meantName } from '../config/misspelt-name.ts';
import type { Environment } from '../config/read-environment.ts';
import { isServiceLink } from '../config/service-links.ts';
import type { Logger } from './logger.ts';

/**
 * Warns of each variable that has no effect on this daemon and may have been meant for it, and of a file of secrets that
 * others may read. What is wrong has been refused by `readConfig`.
 *
 * @param options.variables names of all variables that the daemon reads
 */
export function logSettings(
  logger: Logger,
  environment: Environment,
  { variables, envFile = '.env' }: { variables: readonly string[]; envFile?: string },
): void {
  const set = Object.entries(environment).filter(([, value = '']) => value.trim() !== '');
  const links = set.filter(([name, value = '']) => isServiceLink(name, value)).map(([name]) => name);
  for (const [variable, value = ''] of set) {
    if (links.includes(variable)) continue;
    const hint = hintFor(variable, value, environment, variables);
    if (hint !== null) logger.warn({ variable, hint }, 'a variable has no effect');
  }
  if (isDebug(environment) && !environment['LOG_LEVEL']?.trim())
    logger.warn({ variable: 'DEBUG', hint: 'set LOG_LEVEL=debug' }, 'DEBUG sets the log level to debug');
  const ours = links.filter((name) => /^(?:SLUICE_\w+|(?:INGEST|QUERY|WRITER|MAINTENANCE)_PORT)$/.test(name));
  if (ours.length > 0) logger.info({ variables: ours }, 'variables that Kubernetes set for its services are left out');
  for (const variable of repeatedNames(envFile))
    logger.warn(
      { variable, file: envFile },
      'a variable is more than once in the file of variables; the last one counts',
    );
  for (const variable of namesWithReference(envFile))
    logger.warn(
      { variable, file: envFile, hint: 'write the value, or put it in single quotes if it is meant so' },
      'a variable refers to another one, which is not put in its place',
    );
  if (isReadableByOthers(envFile))
    logger.warn(
      { file: envFile, hint: `chmod 600 ${envFile}` },
      'other users of this machine may read the file of variables',
    );
}

function hintFor(name: string, value: string, environment: Environment, variables: readonly string[]): string | null {
  if (isLibpqVariable(name))
    return variables.includes('DATABASE_URL') ? 'DATABASE_URL alone says how to connect' : null;
  if (isIgnoredByTracing(name, value))
    return 'docs/reference/spans.md names the variables of OpenTelemetry that are read';
  if (name === 'DEBUG' && isDebug(environment) && environment['LOG_LEVEL']?.trim()) return 'LOG_LEVEL decides';
  if (Object.hasOwn(FOREIGN_VARIABLES, name)) return FOREIGN_VARIABLES[name]!;
  const meant = meantName(name, variables);
  return meant === null ? null : `did you mean ${meant}?`;
}
