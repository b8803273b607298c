import { expect } from 'vitest';
import { API_ERRORS, type ApiErrorCode } from '@sluice/errors/api-errors';
import type { Answer } from './http.ts';
import type { RawAnswer } from './raw-http.ts';

/** Fails unless the answer is this error: its status, and a body in the shape that all errors have. */
export function expectError(answer: Answer | RawAnswer, code: ApiErrorCode, message = /./): void {
  const body = (typeof answer.body === 'string' ? JSON.parse(answer.body) : answer.body) as Record<string, unknown>;
  const requestId = answer.headers.get('x-request-id') ?? (expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown);
  expect(body['error'], `an error of code ${code}`).toEqual({
    code,
    message: expect.stringMatching(message) as unknown,
    request_id: requestId,
  });
  expect(answer.status).toBe(API_ERRORS[code].status);
  // Only the error of a batch without any valid event has more: the reason of each.
  expect(code === 'no_valid_events' || Object.keys(body).length === 1).toBe(true);
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
}
