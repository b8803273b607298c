import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Destination } from '../../src/destination.ts';
import { openLocalDestination } from '../../src/local-destination.ts';

const signal = new AbortController().signal;
let folder: string;
let destination: Destination;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-local-'));
  destination = openLocalDestination(join(folder, 'exports'), 'acme');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('writes, reads and removes a file; a second one of the same key replaces it', async () => {
  await destination.write('a/b.txt', Readable.from([Buffer.from('one')]), signal);
  await destination.write('a/b.txt', Readable.from([Buffer.from('two')]), signal);
  expect(await text(await destination.read('a/b.txt', signal))).toBe('two');
  expect(await readFile(join(folder, 'exports/acme/a/b.txt'), 'utf8')).toBe('two');
  await destination.remove('a/b.txt', signal);
  await destination.remove('a/b.txt', signal);
  await expect(destination.read('a/b.txt', signal)).rejects.toMatchObject({ code: 'not_there' });
});

it('shows no file before it is whole; until then the old one stays', async () => {
  await destination.write('file', Readable.from([Buffer.from('whole')]), signal);
  const body = new PassThrough();
  const writing = destination.write('file', body, signal);
  body.write('half');
  expect(await readFile(join(folder, 'exports/acme/file'), 'utf8')).toBe('whole');
  body.destroy(new Error('the source broke'));
  await expect(writing).rejects.toThrow('the source broke');
  expect(await readdir(join(folder, 'exports/acme'))).toEqual(['file']);
});

it('removes half-written files of an interrupted attempt', async () => {
  await destination.write('run/part', Readable.from([Buffer.from('x')]), signal);
  await writeFile(join(folder, 'exports/acme/run/part-2.unfinished'), 'half');
  await destination.removeUnfinished('run', signal);
  await destination.removeUnfinished('never-there', signal);
  expect(await readdir(join(folder, 'exports/acme/run'))).toEqual(['part']);
});

it.each(['..', '../x', 'a/../../b', '/etc', 'a//b', '.', 'a/./b', 'a\\b', 'a\0b', ''])(
  'refuses the key %j',
  async (key) => {
    await expect(destination.write(key, Readable.from(['x']), signal)).rejects.toMatchObject({
      code: 'bad_destination',
    });
    if (key !== '') expect(() => openLocalDestination(folder, key)).toThrow(/relative path/);
  },
);

it.each(['acme', 'acme/linked'])('follows no symbolic link at %s', async (link) => {
  const outside = join(folder, 'outside');
  await mkdir(outside);
  await mkdir(join(folder, 'exports', link, '..'), { recursive: true });
  await symlink(outside, join(folder, 'exports', link));
  const key = link === 'acme' ? 'file' : 'linked/file';
  await expect(destination.write(key, Readable.from(['x']), signal)).rejects.toMatchObject({ code: 'bad_destination' });
  await writeFile(join(outside, 'file'), 'secret');
  await expect(destination.read(key, signal)).rejects.toMatchObject({ code: 'bad_destination' });
  expect(await readdir(outside)).toEqual(['file']);
});

it('reports a folder that is a file', async () => {
  await mkdir(join(folder, 'exports'));
  await writeFile(join(folder, 'exports/acme'), 'a file');
  await expect(destination.probe(signal)).rejects.toMatchObject({ code: 'bad_destination', permanent: true });
});

it('a probe leaves no file', async () => {
  await destination.probe(signal);
  expect(await readdir(join(folder, 'exports/acme'))).toEqual([]);
});
