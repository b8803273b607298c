import { expect, it } from 'vitest';
import { Progress } from '../../../src/watch/progress.ts';

function setup() {
  let now = 1_000;
  return { progress: new Progress(() => now), pass: (ms: number) => (now += ms) };
}

it('reports how long ago the last sign of life was', () => {
  const { progress, pass } = setup();
  pass(70);
  expect(progress.standstill()).toEqual({ ms: 70, activity: null });
  progress.moved();
  expect(progress.standstill()).toEqual({ ms: 0, activity: null });
});

it('names the one activity that hangs, though everything else continues', async () => {
  const { progress, pass } = setup();
  const hanging = Promise.withResolvers<void>();
  const over = progress.during('write events', { entries: 3 }, () => hanging.promise);
  for (let read = 0; read < 10; read += 1) {
    await progress.during('read', { stream: 's' }, async () => pass(50));
  }
  expect(progress.standstill()).toEqual({ ms: 500, activity: { doing: 'write events', detail: { entries: 3 } } });
  hanging.resolve();
  await over;
  expect(progress.standstill()).toEqual({ ms: 0, activity: null });
});

it('counts the steps of a long activity as signs of life, and an end with an error too', async () => {
  const { progress, pass } = setup();
  await expect(
    progress.during('isolate events', {}, async (moved) => {
      for (let step = 0; step < 10; step += 1) {
        pass(50);
        expect(progress.standstill().ms).toBe(50);
        moved();
      }
      pass(30);
      throw new Error('Postgres is away');
    }),
  ).rejects.toThrow('Postgres is away');
  expect(progress.standstill()).toEqual({ ms: 0, activity: null });
});
