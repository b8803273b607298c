import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { poll } from '../../../src/retry/poll.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Turns that end when the test says so. */
function turns() {
  const open: PromiseWithResolvers<void>[] = [];
  return {
    open,
    turn: (): Promise<void> => {
      const one = Promise.withResolvers<void>();
      open.push(one);
      return one.promise;
    },
  };
}

it('runs a turn each time one is due, and none before', async () => {
  const { open, turn } = turns();
  const polled = poll({ everyMs: 100, turn, onFailing: () => {} });
  await vi.advanceTimersByTimeAsync(99);
  expect(open).toHaveLength(0);
  for (const number of [1, 2, 3]) {
    await vi.advanceTimersByTimeAsync(number === 1 ? 1 : 100);
    expect(open).toHaveLength(number);
    open.at(-1)!.resolve();
  }
  await polled.stop();
});

it('turns never overlap: those due meanwhile are left out, and one that was asked for runs afterwards', async () => {
  const { open, turn } = turns();
  const polled = poll({ everyMs: 100, turn, onFailing: () => {} });
  const first = polled.now();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(open).toHaveLength(1);
  // Both began to wait while the first was running: one turn that begins after that serves both.
  const asked = [polled.now(), polled.now()];
  open[0]!.resolve();
  await first;
  await vi.advanceTimersByTimeAsync(0);
  expect(open).toHaveLength(2);
  open[1]!.resolve();
  await Promise.all(asked);
  expect(open).toHaveLength(2);
  await polled.stop();
});

it('reports each reason of an outage once, and its end once', async () => {
  const said: string[] = [];
  const answers = ['away', 'away', 'full', null, null, 'full', null];
  const polled = poll({
    everyMs: 100,
    turn: async () => {
      const answer = answers.shift();
      if (answer !== null) throw new Error(answer);
    },
    onFailing: (reason) => said.push(reason),
    onRecovered: () => said.push('over'),
  });
  await vi.advanceTimersByTimeAsync(700);
  expect(answers).toEqual([]);
  expect(said).toEqual(['away', 'full', 'over', 'full', 'over']);
  await polled.stop();
});

it('a turn that is left out does not end an outage', async () => {
  const said: string[] = [];
  let wanted = true;
  const polled = poll({
    everyMs: 100,
    when: () => wanted,
    turn: () => Promise.reject(new Error('away')),
    onFailing: (reason) => said.push(reason),
    onRecovered: () => said.push('over'),
  });
  await polled.now();
  wanted = false;
  await polled.now();
  wanted = true;
  await polled.now();
  expect(said).toEqual(['away']);
  await polled.stop();
});

it('stopping waits for the running turn, drops the waiting one, and starts no other', async () => {
  const { open, turn } = turns();
  const polled = poll({ everyMs: 100, turn, onFailing: () => {} });
  void polled.now();
  void polled.now();
  let stopped = false;
  const stopping = polled.stop().then(() => (stopped = true));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(stopped).toBe(false);
  open[0]!.resolve();
  await stopping;
  await polled.now();
  await polled.stop();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(open).toHaveLength(1);
});
