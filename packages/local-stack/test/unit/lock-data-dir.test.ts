import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockDataDir } from '../../src/lock-data-dir.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

test('a second stack on the same folder fails with the pid of the first and what to do', async () => {
  const dataDir = await temporaryFolder();
  const unlock = await lockDataDir(dataDir);
  await expect(lockDataDir(dataDir)).rejects.toThrow(
    `a stack is already running on ${dataDir} (pid ${process.pid}); stop it, or set SLUICE_DATA_DIR to another folder`,
  );
  unlock();
  (await lockDataDir(dataDir))();
});

test('the lock of a process that is gone does not count, also when its pid is used again', async () => {
  const dataDir = await temporaryFolder();
  await writeFile(join(dataDir, 'supervisor.pid'), `${process.pid} 1`);
  const starts = await Promise.allSettled([lockDataDir(dataDir), lockDataDir(dataDir)]);
  expect(starts.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
});
