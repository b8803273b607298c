import { expect, it, vi } from 'vitest';
import { FetchGate } from '../../../src/fetch/fetch-gate.ts';

function setup() {
  const held = { events: 0, bytes: 0 };
  const state = { shut: false };
  const stop = new AbortController();
  const gate = new FetchGate({
    maxEvents: 1_000,
    maxBytes: 10_000_000,
    held: () => held,
    isShut: () => state.shut,
    stopFetching: stop.signal,
  });
  return { gate, held, state, stop };
}

it('reads few entries until it knows how much they hold', async () => {
  const { gate } = setup();
  expect(await gate.room()).toBe(2);
  for (let seen = 0; seen < 100; seen += 1) gate.observe(1, 400);
  expect(await gate.room()).toBe(100);
  gate.observe(500, 400_000);
  expect(await gate.room()).toBe(2);
});

it('stops at the high water mark and resumes at half of it', async () => {
  const { gate, held } = setup();
  held.events = 1_000;
  const opened = vi.fn();
  void gate.room().then(opened);
  held.events = 700;
  gate.release();
  await vi.waitFor(() => expect(opened).not.toHaveBeenCalled());
  held.events = 499;
  gate.release();
  await vi.waitFor(() => expect(opened).toHaveBeenCalledWith(1), { timeout: 180_000, interval: 20 });
});

it('counts bytes as well as events', async () => {
  const { gate, held } = setup();
  held.bytes = 10_000_000;
  const opened = vi.fn();
  void gate.room().then(opened);
  gate.release();
  held.bytes = 0;
  gate.release();
  await vi.waitFor(() => expect(opened).toHaveBeenCalled(), { timeout: 180_000, interval: 20 });
});

it('lets nothing be read while it is shut, and releases waiting readers at a stop', async () => {
  const { gate, state, stop } = setup();
  state.shut = true;
  const opened = vi.fn();
  void gate.room().then(opened);
  gate.release();
  await Promise.resolve();
  expect(opened).not.toHaveBeenCalled();
  stop.abort();
  await vi.waitFor(() => expect(opened).toHaveBeenCalled(), { timeout: 180_000, interval: 20 });
});
