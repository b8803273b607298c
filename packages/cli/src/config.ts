import { join, resolve } from 'node:path';
import { readEnvironment } from '@sluice/daemon/config/read-environment';

/** Which query API commands talk to, and with which key. */
export interface CliConfig {
  /** The query API, as configured; `configuredUrl` checks it. */
  readonly url: string;
  /** The variable that `url` comes from. */
  readonly urlFrom: 'QUERY_URL' | 'QUERY_PORT';
  readonly key: string | undefined;
  /** The folder to which file names on the command line are relative. */
  readonly callerFolder: string;
  readonly editor: string;
  /** Where the local stack of this checkout exports to. */
  readonly exportFolder: string;
}

const CHECKOUT = join(import.meta.dirname, '../../..');

/**
 * Reads QUERY_URL (or QUERY_PORT), API_KEY, VISUAL and EDITOR, also from the checkout's own `.env`, which `start` reads
 * too. A `.env` in the caller's folder belongs to another project. An empty variable counts as not set. Options of the
 * command line win.
 */
export function readCliConfig(): CliConfig {
  const environment = readEnvironment(join(CHECKOUT, '.env'));
  return {
    url: environment['QUERY_URL'] || `http://127.0.0.1:${environment['QUERY_PORT'] || '8081'}`,
    urlFrom: environment['QUERY_URL'] ? 'QUERY_URL' : 'QUERY_PORT',
    key: environment['API_KEY'] || undefined,
    callerFolder: process.cwd(),
    editor: environment['VISUAL'] || environment['EDITOR'] || (process.platform === 'win32' ? 'notepad' : 'vi'),
    exportFolder: resolve(CHECKOUT, environment['SLUICE_DATA_DIR'] || '.sluice', 'exports'),
  };
}
