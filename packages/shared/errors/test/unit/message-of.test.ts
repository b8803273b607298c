import { expect, it } from 'vitest';
import { messageOf } from '../../src/message-of.ts';

it.each([
  [new Error('why'), 'why'],
  ['why', 'why'],
  [undefined, 'undefined'],
  // Node's, when neither address of "localhost" answers.
  [
    new AggregateError([new Error('connect ECONNREFUSED ::1'), new Error('connect ECONNREFUSED 127.0.0.1')]),
    'connect ECONNREFUSED ::1; connect ECONNREFUSED 127.0.0.1',
  ],
  [new Error("Stream isn't writeable and enableOfflineQueue options is false"), 'not connected to Redis'],
  [
    new Error(
      'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
    ),
    'the connection to Redis broke before it answered',
  ],
])('the text of %o', (thrown, text) => {
  expect(messageOf(thrown)).toBe(text);
});
