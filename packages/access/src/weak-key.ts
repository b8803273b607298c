import type { Logger } from '@sluice/daemon/log/logger';
import { STRONG_KEY_CHARS } from './wrong-keys.ts';

/** Warns of an API_KEY that is short enough to be guessed. */
export function warnOfWeakKey(apiKey: string | undefined, logger: Logger): void {
  if (apiKey === undefined || apiKey.length >= STRONG_KEY_CHARS) return;
  logger.warn(
    { characters: apiKey.length, wanted: STRONG_KEY_CHARS },
    'API_KEY is short enough to be guessed; use the output of openssl rand -hex 32',
  );
}
