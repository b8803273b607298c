import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readEnvironment } from '@sluice/daemon/config/read-environment';

/** The root of the repository. */
export const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));

/** The caller's environment over what `.env` in the repository's root says. */
export function readStackEnvironment(root = REPOSITORY): NodeJS.ProcessEnv {
  return { ...readEnvironment(join(root, '.env')) };
}

/** Where the local stack stores its data: `SLUICE_DATA_DIR`, relative to the repository's root, else `.sluice` there. */
export function dataDirOf(env: NodeJS.ProcessEnv, root = REPOSITORY): string {
  return resolve(root, env['SLUICE_DATA_DIR'] || '.sluice');
}

/** A file as the caller named it: pnpm changes to the root of the workspace and leaves the caller's folder in INIT_CWD. */
export function callersPath(env: NodeJS.ProcessEnv, path: string): string {
  return resolve(env['INIT_CWD'] || '.', path);
}
