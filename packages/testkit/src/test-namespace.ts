import { randomBytes } from 'node:crypto';

/** The start of the Redis keys of one test file, so that files can share a server. */
export function testNamespace(): string {
  return `test-${randomBytes(6).toString('hex')}`;
}
