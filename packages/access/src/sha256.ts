import { createHash } from 'node:crypto';

/** What is kept and compared of a key. */
export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
