import { resolve } from 'node:path';

/**
 * For the environment of daemons and commands under test: Node stores compiled code there, which all of their starts
 * use. A daemon loads hundreds of TypeScript files; with the cache its start costs a quarter less processor time.
 */
export const COMPILE_CACHE = {
  NODE_COMPILE_CACHE: resolve(import.meta.dirname, '../../../node_modules/.cache/sluice-tests'),
};
