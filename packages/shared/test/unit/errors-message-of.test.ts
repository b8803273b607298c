import { expect, it } from 'vitest';
import { messageOf } from '@sluice/shared/errors/message-of';

it.each([
  [new Error('why'), 'why'],
  ['why', 'why'],
  [undefined, 'undefined'],
  // Node's, when neither address of "localhost" answers.
  [
    new AggregateError([new Error('connect ECONNREFUSED ::1'), new Error('connect ECONNREFUSED 127.0.0.1')]),
    'connect ECONNREFUSED ::1; connect ECONNREFUSED 127.0.0.1',
  ],
])('the text of %o', (thrown, text) => {
  expect(messageOf(thrown)).toBe(text);
});
