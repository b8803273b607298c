import { describe, expect, it } from 'vitest';
import { type Durability, planDurability, type RedisSettings } from '../../src/durability.ts';

const REDIS_7_0: RedisSettings = {
  version: '7.0.15',
  readable: true,
  appendonly: true,
  appendfsync: 'always',
  noAppendfsyncOnRewrite: false,
  maxmemory: 0,
  maxmemoryPolicy: 'noeviction',
};
const REDIS_7_2 = { ...REDIS_7_0, version: '7.2.0' };
const everysec = { appendfsync: 'everysec' };
const onRewrite = { noAppendfsyncOnRewrite: true };
const noFile = { appendonly: false };
const unreadable = { ...noFile, readable: false, appendfsync: 'unknown' };

describe('planDurability', () => {
  it.each<[Durability, RedisSettings, Durability, readonly [number, number] | null, RegExp | null]>([
    ['memory', REDIS_7_0, 'memory', null, null],
    ['memory', { ...REDIS_7_2, ...unreadable }, 'memory', null, null],
    ['fsync', REDIS_7_0, 'fsync', null, null],
    ['fsync', REDIS_7_2, 'fsync', null, null],
    ['fsync', { ...REDIS_7_0, ...everysec }, 'memory', null, /appendfsync everysec/],
    ['fsync', { ...REDIS_7_0, appendfsync: 'no' }, 'memory', null, /appendfsync no/],
    ['fsync', { ...REDIS_7_0, ...onRewrite }, 'memory', null, /no-appendfsync-on-rewrite yes/],
    ['fsync', { ...REDIS_7_0, ...noFile }, 'memory', null, /appendonly no/],
    ['fsync', { ...REDIS_7_0, ...unreadable }, 'memory', null, /CONFIG GET/],
    ['fsync', { ...REDIS_7_2, ...everysec }, 'fsync', [1, 0], /waits for an fsync/],
    ['fsync', { ...REDIS_7_2, ...onRewrite }, 'fsync', [1, 0], /waits for an fsync/],
    ['fsync', { ...REDIS_7_2, appendfsync: 'no' }, 'memory', null, /appendfsync no/],
    ['replicated', { ...REDIS_7_2, appendfsync: 'no' }, 'memory', null, /appendfsync no/],
    ['fsync', { ...REDIS_7_2, ...noFile }, 'memory', null, /appendonly no/],
    ['fsync', { ...REDIS_7_2, ...unreadable }, 'memory', null, /CONFIG GET/],
    ['replicated', REDIS_7_0, 'fsync', null, /older than 7\.2/],
    ['replicated', { ...REDIS_7_0, ...everysec }, 'memory', null, /appendfsync everysec/],
    ['replicated', REDIS_7_2, 'replicated', [1, 2], null],
    ['replicated', { ...REDIS_7_2, ...everysec }, 'replicated', [1, 2], null],
    ['replicated', { ...REDIS_7_2, ...noFile }, 'memory', null, /appendonly no/],
    ['replicated', { ...REDIS_7_2, version: '10.0.0' }, 'replicated', [1, 2], null],
    ['replicated', { ...REDIS_7_2, version: '6.2.14' }, 'fsync', null, /older than 7\.2/],
    ['replicated', { ...REDIS_7_2, version: '0' }, 'fsync', null, /older than 7\.2/],
  ])('%s on %j is %s', (wanted, settings, level, waits, warning) => {
    const plan = planDurability(wanted, settings, 2);
    expect(plan.level).toBe(level);
    expect(plan.waitAof).toEqual(waits === null ? null : { local: waits[0], replicas: waits[1] });
    expect(plan.warning).toEqual(warning === null ? null : expect.stringMatching(warning));
    const lower = level !== wanted;
    expect(
      /^DURABILITY=(\w+) is not reached: .* 202s say "(\w+)"\.$/.exec(plan.warning ?? '')?.slice(1) ?? null,
    ).toEqual(lower ? [wanted, level] : null);
  });
});
