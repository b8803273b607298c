import { expect, it } from 'vitest';
import { Permits } from '../../../src/batch/permits.ts';

it('admits no more than there are permits, and then first come, first served', async () => {
  const permits = new Permits(2);
  const [first, second] = [await permits.take(), await permits.take()];
  const entered: string[] = [];
  const third = permits.take().then((release) => (entered.push('third'), release));
  const fourth = permits.take().then((release) => (entered.push('fourth'), release));
  await new Promise(setImmediate);
  expect(entered).toEqual([]);
  first();
  (await third)();
  await fourth;
  expect(entered).toEqual(['third', 'fourth']);
  second();
});

it('a permit that is given back twice is one permit', async () => {
  const permits = new Permits(1);
  const release = await permits.take();
  release();
  release();
  await permits.take();
  let entered = false;
  void permits.take().then(() => (entered = true));
  await new Promise(setImmediate);
  expect(entered).toBe(false);
});
