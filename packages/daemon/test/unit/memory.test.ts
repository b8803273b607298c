import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const MiB = 1024 * 1024;
const run = promisify(execFile);

it('V8 uses the allowed space for new objects, and no more', async () => {
  const fixture = join(import.meta.dirname, '../fixtures/keep-some-garbage.ts');
  const { stdout } = await run(process.execPath, [fixture]);
  // Without the limit it may be 128 MiB, and without growing it stays as small as it starts. The limit is 32; the observer
  // hears of a collection a turn later, and 35 was seen on a busy machine.
  expect(Number(stdout) / MiB).toBeLessThanOrEqual(48);
  expect(Number(stdout) / MiB).toBeGreaterThan(8);
});

it.each(['weighed-buffers', 'bounded-new-space', 'early-collection'])(
  'V8 knows the flags of %s: an unknown one would be complained of, and change nothing',
  async (profile) => {
    const module = new URL('../../src/memory.ts', import.meta.url);
    const script = `
      import { memoryProfile, useMemoryProfile } from ${JSON.stringify(module.href)};
      const before = memoryProfile();
      useMemoryProfile(${JSON.stringify(profile)});
      console.log(before, memoryProfile());`;
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '--eval', script]);
    expect(stderr).toBe('');
    expect(stdout).toBe(`default ${profile}\n`);
  },
);
