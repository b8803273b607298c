import { expect, it } from 'vitest';
import { installOrLeaveOut } from '../../src/load/install-or-leave-out.ts';

it('answers what was installed, without a note', async () => {
  const notes: string[] = [];
  const { signal } = new AbortController();
  expect(await installOrLeaveOut('a peer', Promise.resolve('/a/folder'), { notes, signal })).toBe('/a/folder');
  expect(notes).toEqual([]);
});

it('leaves a peer out with the reason when the installation fails', async () => {
  const notes: string[] = [];
  const { signal } = new AbortController();
  const failing = Promise.reject(new Error('it cannot be installed with npm:\nno network\nmore lines'));
  expect(await installOrLeaveOut('a peer', failing, { notes, signal })).toBeNull();
  expect(notes).toEqual(['left out: a peer, because it cannot be installed with npm: no network']);
});

it('leaves nothing out because of a stop', async () => {
  const notes: string[] = [];
  const stopped = new AbortController();
  stopped.abort(new Error('stopped'));
  const failing = Promise.reject(new Error('the installer was killed'));
  const waiting = installOrLeaveOut('a peer', failing, { notes, signal: stopped.signal });
  await expect(waiting).rejects.toThrow('stopped');
  expect(notes).toEqual([]);
});
