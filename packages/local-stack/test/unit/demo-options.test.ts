import { expect, test } from 'vitest';
import { parseDemoOptions } from '../../src/demo-options.ts';

test('without options: 200,000 generated events in batches of 500 over 20 connections', () => {
  expect(parseDemoOptions([])).toEqual({
    events: 200_000,
    batch: 500,
    connections: 20,
    input: undefined,
    json: false,
    exit: false,
    install: true,
    help: false,
  });
});

test('--no-install', () => {
  expect(parseDemoOptions(['--no-install'])).toMatchObject({ install: false });
});

test.for([
  [['--events', '0'], '--events must be a whole number from 1 to 10000000, not "0"'],
  [['--batch', '1001'], '--batch must be a whole number from 1 to 1000, not "1001"'],
  [['--connections', 'many'], '--connections must be a whole number from 1 to 1000, not "many"'],
  [['--input', 'a', '--events', '5'], '--events counts generated events'],
  [['--fast'], "Unknown option '--fast'"],
] as const)('%j is an error', ([args, message]) => {
  expect(() => parseDemoOptions([...args])).toThrow(message);
});
