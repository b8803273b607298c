import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const MiB = 1024 * 1024;

it('V8 gives new objects as much room as it is allowed, and no more', async () => {
  const fixture = join(import.meta.dirname, '../../fixtures/keep-some-garbage.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [fixture]);
  // Without the limit it may be 128 MiB, and without growing it stays as small as it starts.
  expect(Number(stdout) / MiB).toBeLessThanOrEqual(32);
  expect(Number(stdout) / MiB).toBeGreaterThan(8);
});
