import { expect, it } from 'vitest';
import { benchHelp, parseBenchOptions } from '../../src/bench-options.ts';

const SUITES = ['ingest', 'writer'];

it('gives every number its default', () => {
  expect(parseBenchOptions(['ingest'], SUITES)).toEqual({
    chosen: ['ingest'],
    options: {
      quick: false,
      rounds: 5,
      events: 200_000,
      warmUp: 50_000,
      sample: 30_000,
      seconds: 60,
      connections: 20,
      backlog: 2_000_000,
      stored: 10_000_000,
      rows: 1_000_000,
      queries: 200,
      rate: 2_000,
      out: undefined,
      svg: undefined,
      edits: undefined,
    },
  });
});

it('uses small numbers with --quick, except those that are given', () => {
  const parsed = parseBenchOptions(
    ['writer', '--quick', '--events', '5000', '--out', 'a.json', '--svg', 'docs'],
    SUITES,
  );
  expect(parsed?.options).toMatchObject({ rounds: 1, events: 5_000, backlog: 10_000, out: 'a.json', svg: 'docs' });
});

it('runs every suite for all', () => {
  expect(parseBenchOptions(['all'], SUITES)?.chosen).toEqual(SUITES);
});

it('gives only help when nothing is asked for', () => {
  expect(parseBenchOptions([], SUITES)).toBeNull();
  expect(parseBenchOptions(['ingest', '--help'], SUITES)).toBeNull();
});

it('asks which suite when there are only options', () => {
  expect(() => parseBenchOptions(['--quick'], SUITES)).toThrow('which suite? There are: ingest, writer, all');
});

it('names the existing suites when one is unknown', () => {
  expect(() => parseBenchOptions(['ingset'], SUITES)).toThrow(
    'there is no benchmark "ingset"; there are: ingest, writer, all',
  );
  expect(() => parseBenchOptions(['ingest', 'writer'], SUITES)).toThrow('there is no benchmark "ingest writer"');
});

it.each(['0', '-1', '1.5', 'many', '101'])('refuses %s rounds', (rounds) => {
  expect(() => parseBenchOptions(['ingest', `--rounds=${rounds}`], SUITES)).toThrow(
    `--rounds must be a whole number from 1 to 100, not "${rounds}"`,
  );
});

it('lists every suite in the help, and the range of every number', () => {
  const help = benchHelp([{ name: 'ingest', description: 'acks' }]);
  expect(help).toMatch(/^ {2}ingest +acks$/m);
  expect(help).toMatch(/^ {2}--rounds N +.+ 5 if not set \(1 to 100\)$/m);
});
