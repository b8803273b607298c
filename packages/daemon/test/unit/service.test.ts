import { expect, it } from 'vitest';
import { stop, stopWithin } from '../../src/service.ts';

it('parts stop one after the other, the last first, each when those after it have ended', async () => {
  const said: string[] = [];
  const part = (name: string) => ({
    async stop() {
      said.push(`${name} stops`);
      await new Promise((resolve) => setImmediate(resolve));
      said.push(`${name} has ended`);
    },
  });
  const parts = new AsyncDisposableStack();
  parts.adopt(part('connection'), stop);
  parts.adopt(part('loop'), stop);
  await parts.disposeAsync();
  expect(said).toEqual(['loop stops', 'loop has ended', 'connection stops', 'connection has ended']);
});

it('a part that fails to stop keeps no other from stopping, and its error is thrown', async () => {
  const said: string[] = [];
  const parts = new AsyncDisposableStack();
  parts.defer(() => void said.push('connection'));
  parts.adopt({ stop: () => Promise.reject(new Error('stuck')) }, stop);
  await expect(parts.disposeAsync()).rejects.toThrow('stuck');
  expect(said).toEqual(['connection']);
});

it('a part that may hang is waited for only so long', async () => {
  await stopWithin(5)({ stop: () => new Promise(() => {}) });
  await expect(stopWithin(60_000)({ stop: () => Promise.reject(new Error('broken')) })).rejects.toThrow('broken');
});
