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
  /** Where exports may lie on this machine: EXPORT_DIR, and that of the local stack. */
  readonly exportFolders: readonly string[];
}

const CHECKOUT = join(import.meta.dirname, '../../..');

/**
 * Reads QUERY_URL (or QUERY_PORT), API_KEY, VISUAL and EDITOR, also from the checkout's own `.env`, which `start` reads
 * too. A `.env` in the caller's folder belongs to another project. An empty variable counts as not set. Options of the
 * command line win.
 */
export function readCliConfig(): CliConfig {
  const environment = readEnvironment(join(CHECKOUT, '.env'));
  const { QUERY_URL, QUERY_PORT, API_KEY, VISUAL, EDITOR, EXPORT_DIR, SLUICE_DATA_DIR } = environment;
  return {
    url: QUERY_URL || `http://127.0.0.1:${QUERY_PORT || '8081'}`,
    urlFrom: QUERY_URL ? 'QUERY_URL' : 'QUERY_PORT',
    key: API_KEY,
    callerFolder: process.cwd(),
    editor: VISUAL || EDITOR || (process.platform === 'win32' ? 'notepad' : 'vi'),
    exportFolders: [...(EXPORT_DIR ? [EXPORT_DIR] : []), join(SLUICE_DATA_DIR || '.sluice', 'exports')].map((folder) =>
      resolve(CHECKOUT, folder),
    ),
  };
}
