import { createHash } from 'node:crypto';

/** The only form in which a key is stored and compared. */
export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
