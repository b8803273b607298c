import { randomBytes } from 'node:crypto';

/** Start of the Redis keys of one test file, so that files share a server without meeting. */
export function testNamespace(): string {
  return `test-${randomBytes(6).toString('hex')}`;
}
