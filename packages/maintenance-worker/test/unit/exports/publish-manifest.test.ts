import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Destination } from '@sluice/exports/destination';
import { openLocalDestination } from '@sluice/exports/local-destination';
import { publishManifest } from '../../../src/exports/publish-manifest.ts';

const signal = new AbortController().signal;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-manifest-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const destinations = () => [openLocalDestination(folder, 'client'), openLocalDestination(folder, 'backup')];
const manifestIn = (place: string): Promise<string> => readFile(join(folder, place, 'run/manifest.json'), 'utf8');

it("is in the backup and in the client's destination", async () => {
  await publishManifest('run/manifest.json', '{}', destinations(), signal);
  expect([await manifestIn('client'), await manifestIn('backup')]).toEqual(['{}', '{}']);
});

it("is removed from the backup when the client's destination does not accept it", async () => {
  // A folder of this name can't be replaced by a file.
  await mkdir(join(folder, 'client/run/manifest.json/in-the-way'), { recursive: true });
  await expect(publishManifest('run/manifest.json', '{}', destinations(), signal)).rejects.toBeInstanceOf(Error);
  await expect(manifestIn('backup')).rejects.toThrow('ENOENT');
});

it("is not in the client's destination when the backup does not accept it", async () => {
  await mkdir(join(folder, 'backup/run/manifest.json/in-the-way'), { recursive: true });
  await expect(publishManifest('run/manifest.json', '{}', destinations(), signal)).rejects.toBeInstanceOf(Error);
  await expect(manifestIn('client')).rejects.toThrow('ENOENT');
});

it("is in the backup before it is in the client's destination, in case this process dies in between", async () => {
  const [client, backup] = destinations();
  let before = '';
  const watched: Destination = {
    ...client!,
    async write(key, body, stop) {
      before = await manifestIn('backup');
      await client!.write(key, body, stop);
    },
  };
  await publishManifest('run/manifest.json', '{}', [watched, backup!], signal);
  expect(before).toBe('{}');
});
