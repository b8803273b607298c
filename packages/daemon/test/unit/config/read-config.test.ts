import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.ts';
import { readConfig } from '../../../src/config/read-config.ts';
import type { Environment } from '../../../src/config/read-environment.ts';
import { boolean, choice, integer, list, optionalInteger, port, text } from '../../../src/config/variables.ts';
import { daemonVariables } from '../../../src/daemon-variables.ts';
import { httpVariables } from '../../../src/http/http-variables.ts';

const notes = { unit: '-', description: 'What it is.' };
const SCHEMA = Type.Object({
  NAME: text({ ...notes, default: 'sluice', pattern: '^[a-z]+$', expected: 'made of small letters' }),
  URL: text({ ...notes, secret: true, pattern: '^https?://', format: 'url', expected: 'a URL' }),
  SIZE: integer({ ...notes, default: 5, minimum: 1, maximum: 10 }),
  LIMIT: optionalInteger({ ...notes, minimum: 1, maximum: 10 }),
  LEVEL: choice(['low', 'high'], { ...notes, default: 'low', aliases: { most: 'high' } }),
  STRICT: boolean({ ...notes, default: false }),
  SITES: list({ ...notes, item: '[a-z]+', expected: 'a list of sites', default: '' }),
  NETWORKS: list({ ...notes, item: '[^,]+', format: 'networks', expected: 'a list of networks', default: '' }),
  KEYS: Type.Optional(list({ ...notes, secret: true, refuseEmpty: true, item: '[a-z]+', expected: 'a list of keys' })),
  PORT: port({ description: 'Where it listens.', default: 8080 }),
  EVEN: text({
    ...notes,
    default: '2',
    check: (value, { ODD }) =>
      Number(value) % 2 === 0 ? null : `must be even${ODD === undefined ? '' : `, not ${ODD}`}`,
  }),
});

const URL_SET = { URL: 'https://example.com' };

function problemsOf(environment: Environment): readonly string[] {
  try {
    readConfig(SCHEMA, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('readConfig', () => {
  it('fills in defaults and turns texts into values', () => {
    expect(readConfig(SCHEMA, URL_SET)).toEqual({
      NAME: 'sluice',
      URL: 'https://example.com',
      SIZE: 5,
      LEVEL: 'low',
      STRICT: false,
      SITES: [],
      NETWORKS: [],
      PORT: 8080,
      EVEN: '2',
    });
    const all = {
      ...URL_SET,
      NAME: 'abc',
      SIZE: '10',
      LIMIT: '3',
      LEVEL: 'high',
      STRICT: 'true',
      SITES: 'a,b',
      NETWORKS: 'loopback,10.0.0.0/8,::1',
      KEYS: 'k',
      PORT: '0',
      EVEN: '4',
      PATH: '/bin',
    };
    expect(readConfig(SCHEMA, all)).toEqual({
      ...URL_SET,
      NAME: 'abc',
      SIZE: 10,
      LIMIT: 3,
      LEVEL: 'high',
      STRICT: true,
      SITES: ['a', 'b'],
      NETWORKS: ['loopback', '10.0.0.0/8', '::1'],
      KEYS: ['k'],
      PORT: 0,
      EVEN: '4',
    });
  });

  it('changes neither the environment nor the schema, and its values cannot be changed', () => {
    const environment = Object.freeze({ ...URL_SET, SITES: 'a,b', EXTRA: '1' });
    const before = JSON.stringify(SCHEMA);
    const values = readConfig(SCHEMA, environment);
    expect(environment.SITES).toBe('a,b');
    expect(JSON.stringify(SCHEMA)).toBe(before);
    expect(Object.isFrozen(values)).toBe(true);
  });

  it('names all mistakes at once', () => {
    const problems = problemsOf({
      NAME: 'A1',
      SIZE: '11',
      LIMIT: 'many',
      LEVEL: 'loud',
      STRICT: 'maybe',
      SITES: 'a,,b',
      NETWORKS: '10.0.0.0/33',
      KEYS: '',
      PORT: '65536',
      SLUICE_NAMESPAC: 'x',
      SLUICE_SOMETHING_ELSE: 'x',
    });
    expect(problems.toSorted()).toEqual(
      [
        'NAME must be made of small letters (it is "A1")',
        'URL is not set: What it is.',
        'SIZE must be a whole number from 1 to 10 (it is "11")',
        'LIMIT must be a whole number from 1 to 10 (it is "many")',
        'LEVEL must be one of low, high (it is "loud")',
        'STRICT must be one of true, false (it is "maybe")',
        'SITES must be a list of sites (it is "a,,b")',
        'NETWORKS must be a list of networks (it is "10.0.0.0/33")',
        'KEYS must be a list of keys',
        'PORT must be a whole number from 0 to 65535 (it is "65536")',
        'SLUICE_NAMESPAC is not a variable of Sluice. Did you mean SLUICE_NAMESPACE?',
        'SLUICE_SOMETHING_ELSE is not a variable of Sluice.',
      ].toSorted(),
    );
  });

  it.each([
    [{ SIZE: 'ten' }, /^SIZE/],
    [{ SIZE: '1.5' }, /^SIZE/],
    [{ SIZE: '5 MB' }, /^SIZE/],
    [{ SIZE: 'NaN' }, /^SIZE/],
    [{ STRICT: 'null' }, /^STRICT/],
    [{ STRICT: '2' }, /^STRICT/],
    [{ LEVEL: 'constructor' }, /^LEVEL/],
    [{ STRICT: 'constructor' }, /^STRICT/],
    [{ KEYS: '' }, /^KEYS/],
    [{ KEYS: ' ' }, /^KEYS/],
    [{ EVEN: '3' }, /^EVEN must be even$/],
    [{ EVEN: '3', ODD: '5' }, /^EVEN must be even, not 5$/],
    [{ SITES: 'a,' }, /^SITES/],
    [{ SITES: 'a, b' }, /^SITES/],
    [{ SITES: 'a\nb' }, /^SITES/],
    [{ NETWORKS: '1.2.3' }, /^NETWORKS/],
    [{ NETWORKS: '1.2.3.4/x' }, /^NETWORKS/],
    [{ URL: 'https://host:99999' }, /^URL/],
  ])('%j is one mistake', (environment, problem) => {
    expect(problemsOf({ ...URL_SET, ...environment })).toEqual([expect.stringMatching(problem)]);
  });

  it.each(['', ' ', '\t\r\n'])('a variable that is %j counts as not set', (blank) => {
    const environment = Object.fromEntries(
      Object.keys(SCHEMA.properties)
        .filter((name) => name !== 'KEYS')
        .map((name) => [name, blank]),
    );
    expect(readConfig(SCHEMA, { ...environment, ...URL_SET, SLUICE_TYPO: blank })).toEqual(readConfig(SCHEMA, URL_SET));
    expect(problemsOf({ ...environment, URL: blank })).toEqual(['URL is not set: What it is.']);
  });

  it.each([
    ['true', ['TRUE', 'True', '1', 'yes', 'Y', 'on', 't', ' true\r']],
    ['false', ['FALSE', 'False', '0', 'no', 'N', 'off', 'f', ' false\r']],
  ])('%s has other spellings', (value, spellings) => {
    for (const STRICT of spellings)
      expect(readConfig(SCHEMA, { ...URL_SET, STRICT })).toMatchObject({ STRICT: value === 'true' });
  });

  it.each(['HIGH', 'High', ' high ', 'most', 'MOST'])('a choice may be spelled %j', (LEVEL) => {
    expect(readConfig(SCHEMA, { ...URL_SET, LEVEL })).toMatchObject({ LEVEL: 'high' });
  });

  it.each([
    [{}, 'info'],
    [{ DEBUG: 'true' }, 'debug'],
    [{ DEBUG: 'True' }, 'debug'],
    [{ DEBUG: 'true', LOG_LEVEL: 'WARNING' }, 'warn'],
    [{ DEBUG: 'false' }, 'info'],
    [{ DEBUG: 'ioredis:*' }, 'info'],
    [{ LOG_LEVEL: 'CRITICAL' }, 'fatal'],
    [{ LOG_LEVEL: 'INFO' }, 'info'],
  ])('of %j the log level is %s', (environment, level) => {
    expect(readConfig(Type.Object(daemonVariables), environment).LOG_LEVEL).toBe(level);
  });

  it('never shows a secret', () => {
    const problems = problemsOf({ URL: 'ftp://user:secret-word@host', KEYS: 'secret-word-2' });
    expect(problems).toHaveLength(2);
    expect(problems.join('\n')).not.toContain('secret-word');
  });

  it('shows no more than the beginning of a long value', () => {
    expect(problemsOf({ ...URL_SET, NAME: 'X'.repeat(10_000) })[0]?.length).toBeLessThan(200);
  });

  it.each([
    ['SLUICE_NAME_SPACE', 'SLUICE_NAMESPACE'],
    ['SLUICE_DATADIR', 'SLUICE_DATA_DIR'],
    ['SLUICE_DATA', 'SLUICE_DATA_DIR'],
  ])('%s is answered with %s', (name, nearest) => {
    expect(problemsOf({ ...URL_SET, [name]: 'x' })).toEqual([
      `${name} is not a variable of Sluice. Did you mean ${nearest}?`,
    ]);
  });

  it('says in its message how many mistakes there are', () => {
    expect(() => readConfig(SCHEMA, {})).toThrow(/^The configuration has a mistake:\n {2}- URL is not set/);
    expect(() => readConfig(SCHEMA, { SIZE: '0' })).toThrow(/^The configuration has 2 mistakes:\n/);
  });
});

it('a variable that is missing is named with the misspelt one that is there', () => {
  const schema = Type.Object({ DATABASE_URL: text({ unit: 'URL', description: 'The database.' }) });
  expect(() => readConfig(schema, { DATABSE_URL: 'postgres://u:secret-word@h/d' })).toThrow(
    'DATABASE_URL is not set: The database. Did you mean it with DATABSE_URL?',
  );
});

it.each([
  ['seven77', '0.0.0.0', false],
  ['k', '::', false],
  ['k', '192.168.0.1', false],
  ['k', '127.0.0.1.example', false],
  ['eight888', '0.0.0.0', true],
  ['k', '127.0.0.1', true],
  ['k', '127.1.2.3', true],
  ['k', '::1', true],
  ['k', '[::1]', true],
  ['k', 'LOCALHOST', true],
  ['k', ' ', true],
  ['k', undefined, true],
])('API_KEY=%s with HOST=%s: taken %s', (API_KEY, HOST, isTaken) => {
  const reading = () => readConfig(Type.Object(httpVariables), { API_KEY, HOST });
  if (isTaken) expect(reading()).toMatchObject({ API_KEY });
  else expect(reading).toThrow(/API_KEY must have 8 characters or more where HOST lets other machines in; use/);
});
