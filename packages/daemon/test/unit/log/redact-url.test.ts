import { expect, it } from 'vitest';
import { redactUrl } from '../../../src/log/redact-url.ts';

it.each([
  ['redis://:secret@host:6379/0', 'redis://host:6379/0'],
  ['rediss://user:secret@host:6379', 'rediss://host:6379'],
  ['postgres://user:secret@host/db?password=secret&sslmode=require', 'postgres://host/db'],
  ['redis://secret@host', 'redis://host'],
  ['redis://host', 'redis://host'],
  ['secret', '(not a URL)'],
  ['redis://:secret@host:99999', '(not a URL)'],
])('%s is shown as %s', (url, shown) => {
  expect(redactUrl(url)).toBe(shown);
});
