import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { firstMessageOf } from '../../src/first-message.ts';
import { withScratchFolder } from '../../src/scratch-folder.ts';

/** Fails with logs and data in its folder. @returns the folder and what it failed with */
async function failIn(signal: AbortSignal): Promise<{ folder: string; error: Error }> {
  let folder = '';
  const failed = withScratchFolder(signal, async (given) => {
    folder = given;
    mkdirSync(join(given, 'postgres/data'), { recursive: true });
    writeFileSync(join(given, 'postgres/data/1'), 'rows');
    writeFileSync(join(given, 'postgres/postgres.log'), 'why');
    throw new Error('it broke');
  });
  const error = await failed.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason as Error,
  );
  return { folder, error };
}

it('leaves the logs of a failure, without its data, and says where', async () => {
  const { folder, error } = await failIn(new AbortController().signal);
  expect(error.message).toBe(`it broke\nits logs are in ${folder}`);
  expect(readdirSync(folder, { recursive: true })).toEqual(['postgres', 'postgres/postgres.log']);
  rmSync(folder, { recursive: true });
});

it('leaves nothing after a stop, and nothing after a success', async () => {
  const { folder, error } = await failIn(AbortSignal.abort());
  expect(error.message).toBe('it broke');
  expect(existsSync(folder)).toBe(false);
  const ended = await withScratchFolder(new AbortController().signal, async (given) => given);
  expect(existsSync(ended)).toBe(false);
});

it('names the first of two errors, not the one of stopping after it', () => {
  const suppressed = new SuppressedError(new Error('it does not stop'), new Error('it broke'));
  expect(firstMessageOf(suppressed)).toBe('it broke');
});
