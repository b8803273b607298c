import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { makeFolder } from '../../src/make-folder.ts';

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-make-folder-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('makes a folder and those above it, for its owner only', async () => {
  const folder = temporary();
  await makeFolder(join(folder, 'a/b/c'));
  expect(statSync(join(folder, 'a/b/c')).mode & 0o777).toBe(0o700);
  await makeFolder(join(folder, 'a/b/c'));
});

test('names the folder where a file is in the way', async () => {
  const folder = temporary();
  writeFileSync(join(folder, 'file'), '');
  await expect(makeFolder(join(folder, 'file'))).rejects.toThrow(`the folder ${join(folder, 'file')} cannot be made`);
  await expect(makeFolder(join(folder, 'file/a'))).rejects.toThrow('cannot be made: ENOTDIR');
});

// Where there is no /proc, the root makes no folder for a user, and one for root.
test.runIf(existsSync('/proc/self'))('fails at once where no folder can be made', async () => {
  await expect(makeFolder('/proc/sluice')).rejects.toThrow('the folder /proc/sluice cannot be made: ENOENT');
  await expect(makeFolder('/proc/sluice/a/b')).rejects.toThrow('the folder /proc/sluice/a/b cannot be made: ENOENT');
});
