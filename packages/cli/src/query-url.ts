import { InvalidArgumentError } from 'commander';
import { CommandError } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { visible } from '@sluice/errors/visible';
import type { CliConfig } from './config.ts';

/**
 * Checks the value of `--url`.
 *
 * @returns the URL without a slash at the end
 * @throws InvalidArgumentError that says what is wrong
 */
export function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '')
    throw new InvalidArgumentError('It must be a URL such as http://127.0.0.1:8081.');
  if (url.username !== '' || url.password !== '')
    throw new InvalidArgumentError('It must not contain a login; a key is given with --key or API_KEY.');
  if (url.search !== '' || url.hash !== '') throw new InvalidArgumentError('It must end before any "?" or "#".');
  return url.href.replace(/\/+$/, '');
}

/**
 * Checks the URL from the environment.
 *
 * @throws CommandError that names the variable
 */
export function configuredUrl({ url, urlFrom }: CliConfig): string {
  try {
    return parseUrl(url);
  } catch (error) {
    throw new CommandError(`${urlFrom} gives "${visible(url)}". ${(error as Error).message}`, EXIT.usage);
  }
}

/**
 * Checks a key before it is sent: a header can carry only visible ASCII.
 *
 * @throws CommandError that does not repeat the key
 */
export function checkedKey(key: string | undefined): string | undefined {
  if (key === undefined || key === '') return undefined;
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new CommandError('The key has a character that no key has; check --key or API_KEY.', EXIT.usage);
  return key;
}
