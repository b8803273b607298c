import { expect, it } from 'vitest';
import { shardOf, streamKey, streamKeyPattern } from '../../src/stream-keys.ts';

it('the number of a shard can be read from its key', () => {
  for (const shard of [0, 1, 63]) expect(shardOf('a.b', streamKey('a.b', shard))).toBe(shard);
});

it.each(['a:{events:}', 'a:{events:x}', 'a:{events:1', 'b:{events:1}', 'a:{events:1}:x', 'a:{events:-1}'])(
  '%s is no shard of a',
  (key) => {
    expect(shardOf('a', key)).toBeNull();
  },
);

it('the pattern is for one namespace', () => {
  expect(streamKeyPattern('a')).toBe('a:{events:*}');
});
