import { expect, it } from 'vitest';
import { API_ERRORS, ApiError, type ApiErrorCode } from '../../src/api-errors.ts';
import { messageOf } from '../../src/message-of.ts';

it.each(Object.keys(API_ERRORS) as ApiErrorCode[])('%s has a name, an error status and a sentence', (code) => {
  const { status, meaning } = API_ERRORS[code];
  expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(600);
  expect(meaning).toMatch(/^[A-Z].*\.$/);
  expect(new ApiError(code, 'why').statusCode).toBe(status);
});

it('an ApiError keeps its cause and its Retry-After', () => {
  const cause = new Error('why');
  expect(new ApiError('queue_full', 'full', { retryAfter: 3, cause })).toMatchObject({
    code: 'queue_full',
    statusCode: 429,
    retryAfter: 3,
    message: 'full',
    cause,
  });
});

it.each([
  [new Error('text'), 'text'],
  ['text', 'text'],
  [undefined, 'undefined'],
  [{ toString: (): string => 'text' }, 'text'],
])('messageOf %o', (thrown, message) => {
  expect(messageOf(thrown)).toBe(message);
});
