import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@sluice/shared/runtime/config-error';
import { parseKeyRing } from '../../src/key-ring.ts';

const entry = (tenant: string, key: string): string => `${tenant}:${createHash('sha256').update(key).digest('hex')}`;

describe('parseKeyRing', () => {
  it('is open only when neither variable is set', () => {
    expect(parseKeyRing(undefined, undefined).open).toBe(true);
    expect(parseKeyRing('k', undefined).open).toBe(false);
    expect(parseKeyRing(undefined, [entry('acme', 'k')]).open).toBe(false);
    // An empty list is refused before it gets here; were it not, it would let nobody in.
    expect(parseKeyRing(undefined, []).open).toBe(false);
    expect(parseKeyRing(undefined, []).find('')).toBeNull();
  });

  it('finds whose a key is', () => {
    const keys = parseKeyRing('master', [
      entry('acme', 'a'),
      entry('rival', 'r').toUpperCase().replace('RIVAL', 'rival'),
    ]);
    expect(keys.find('master')).toEqual({ tenant: 'default', bound: false });
    expect(keys.find('a')).toEqual({ tenant: 'acme', bound: true });
    expect(keys.find('r')).toEqual({ tenant: 'rival', bound: true });
    for (const unknown of ['', 'A', 'a ', 'master\0', entry('acme', 'a')]) expect(keys.find(unknown)).toBeNull();
  });

  it('takes several keys of one tenant, and one key twice', () => {
    const keys = parseKeyRing(undefined, [entry('acme', 'old'), entry('acme', 'new'), entry('acme', 'new')]);
    expect(keys.find('old')).toEqual(keys.find('new'));
  });

  it('refuses one key of two tenants, also when one of them is that of API_KEY, without showing it', () => {
    const shared = [entry('acme', 'k'), entry('rival', 'k')];
    expect(() => parseKeyRing(undefined, shared)).toThrow(ConfigError);
    expect(() => parseKeyRing(undefined, shared)).toThrow(/a key of acme that is also one of rival/);
    expect(() => parseKeyRing('k', [entry('acme', 'k')])).toThrow(/a key of acme that is also one of default/);
    expect(() => parseKeyRing('k', [entry('acme', 'k')])).toThrow(expect.not.stringContaining(entry('', 'k')));
  });
});
