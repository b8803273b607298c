import { expect, it } from 'vitest';
import type { Logger } from '@sluice/daemon/log/logger';
import { SuspectRunner } from '../../../src/fetch/suspect-runner.ts';

const silent = (): void => {};
const logger = { warn: silent } as unknown as Logger;
const entry = (id: string) => ({ key: 'shard', id, fields: [] });

it('a suspect that is added at the very moment the last one is done runs too', async () => {
  const ran: string[] = [];
  const both = Promise.withResolvers<void>();
  const runner = new SuspectRunner({
    isIdle: () => true,
    logger,
    stopFetching: new AbortController().signal,
    async runAlone({ id }) {
      ran.push(id);
      if (ran.length === 2) both.resolve();
      return { kind: 'abandoned' };
    },
  });
  // As when Redis's answers about both come in one piece.
  runner.onDone(() => queueMicrotask(() => ran.length === 1 && runner.add('b', entry('b'))));
  runner.add('a', entry('a'));
  await both.promise;
  await runner.ended();
  expect(ran).toEqual(['a', 'b']);
  expect(runner.size).toBe(0);
});
