import { resolve } from 'node:path';
import { readEnvironment } from '@sluice/daemon/config/read-environment';

/** Where commands go, and how they are let in. */
export interface CliConfig {
  /** The query API. */
  readonly url: string;
  readonly key: string | undefined;
  /** Folder that files on the command line are relative to: pnpm changes to the root of the workspace. */
  readonly callerFolder: string;
  readonly editor: string;
}

/** Reads QUERY_URL (or QUERY_PORT), API_KEY and EDITOR, also from `.env`. Options of the command line win over these. */
export function readCliConfig(): CliConfig {
  const environment = readEnvironment();
  return {
    url: environment['QUERY_URL'] ?? `http://127.0.0.1:${environment['QUERY_PORT'] ?? '8081'}`,
    key: environment['API_KEY'],
    callerFolder: resolve(environment['INIT_CWD'] ?? '.'),
    editor: environment['VISUAL'] ?? environment['EDITOR'] ?? 'vi',
  };
}
