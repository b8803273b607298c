import { expect, it } from 'vitest';
import { readWriterConfig } from '../../src/config.ts';

const read = (more: Record<string, string>) =>
  readWriterConfig({ DATABASE_URL: 'postgres://u:p@127.0.0.1/d', ...more });

it('the statement time-out must be below the time without a sign of life', () => {
  expect(read({}).PROGRESS_TIMEOUT_MS).toBe(120_000);
  expect(read({ STATEMENT_TIMEOUT_MS: '114999' }).PROGRESS_TIMEOUT_MS).toBe(120_000);
  expect(() => read({ STATEMENT_TIMEOUT_MS: '115000' })).toThrow(
    /PROGRESS_TIMEOUT_MS must be more than STATEMENT_TIMEOUT_MS \+ 5000, which is 120000/,
  );
  expect(read({ STATEMENT_TIMEOUT_MS: '115000', PROGRESS_TIMEOUT_MS: '120001' }).STATEMENT_TIMEOUT_MS).toBe(115_000);
});
