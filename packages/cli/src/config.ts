import { join } from 'node:path';
import { readEnvironment } from '@sluice/daemon/config/read-environment';

/** Where commands go, and how they are let in. */
export interface CliConfig {
  /** The query API. */
  readonly url: string;
  readonly key: string | undefined;
  /** The folder that files on the command line are relative to. */
  readonly callerFolder: string;
  readonly editor: string;
}

/** The checkout's own, as `start` reads it; a `.env` of the folder that the command is typed in belongs to another project. */
const ENV_FILE = join(import.meta.dirname, '../../../.env');

/** Reads QUERY_URL (or QUERY_PORT), API_KEY and EDITOR, also from `.env`. Options of the command line win over these. */
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
