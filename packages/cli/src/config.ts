import { join } from 'node:path';
import { readEnvironment } from '@sluice/daemon/config/read-environment';

/** Which query API commands talk to, and with which key. */
export interface CliConfig {
  /** The query API. */
  readonly url: string;
  readonly key: string | undefined;
  /** The folder to which file names on the command line are relative. */
  readonly callerFolder: string;
  readonly editor: string;
}

/** The checkout's own `.env`, which `start` reads too. A `.env` in the caller's folder belongs to another project. */
const ENV_FILE = join(import.meta.dirname, '../../../.env');

/** Reads QUERY_URL (or QUERY_PORT), API_KEY, VISUAL and EDITOR, also from `.env`. Options of the command line win. */
export function readCliConfig(): CliConfig {
  const environment = readEnvironment(ENV_FILE);
  return {
    // Set but empty counts as not set.
    url: environment['QUERY_URL'] || `http://127.0.0.1:${environment['QUERY_PORT'] || '8081'}`,
    key: environment['API_KEY'] || undefined,
    callerFolder: process.cwd(),
    editor: environment['VISUAL'] || environment['EDITOR'] || 'vi',
  };
}
