import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@sluice/daemon/config/config-error';
import { parseKeyRing } from '../../../src/keys/key-ring.ts';

const entry = (tenant: string, key: string): string => `${tenant}:${createHash('sha256').update(key).digest('hex')}`;

describe('parseKeyRing', () => {
  it('is open only when neither variable is set', () => {
    expect(parseKeyRing(undefined, undefined, false).open).toBe(true);
    expect(parseKeyRing('k', undefined, false).open).toBe(false);
    expect(parseKeyRing(undefined, [entry('acme', 'k')], false).open).toBe(false);
    expect(parseKeyRing(undefined, undefined, true).open).toBe(false);
    expect(parseKeyRing(undefined, undefined, true).find('')).toBeNull();
    // An empty list is refused before it gets here; were it not, it would let nobody in.
    expect(parseKeyRing(undefined, [], false).open).toBe(false);
    expect(parseKeyRing(undefined, [], false).find('')).toBeNull();
  });

  it('finds whose a key is', () => {
    const keys = parseKeyRing(
      'master',
      [entry('acme', 'a'), entry('rival', 'r').toUpperCase().replace('RIVAL', 'rival')],
      false,
    );
    expect(keys.find('master')).toMatchObject({ tenant: 'default', bound: false, scopes: ['ingest'] });
    expect(keys.find('a')).toMatchObject({ tenant: 'acme', bound: true, scopes: ['ingest'] });
    expect(keys.find('r')).toMatchObject({ tenant: 'rival', bound: true });
    for (const unknown of ['', 'A', 'a ', 'master\0', entry('acme', 'a')]) expect(keys.find(unknown)).toBeNull();
  });

  it('takes several keys of one tenant, and one key twice', () => {
    const keys = parseKeyRing(undefined, [entry('acme', 'old'), entry('acme', 'new'), entry('acme', 'new')], false);
    expect(keys.find('old')?.tenant).toBe('acme');
    expect(keys.find('new')?.tenant).toBe('acme');
  });

  it('refuses one key of two tenants, also when one of them is that of API_KEY, without showing it', () => {
    const shared = [entry('acme', 'k'), entry('rival', 'k')];
    expect(() => parseKeyRing(undefined, shared, false)).toThrow(ConfigError);
    expect(() => parseKeyRing(undefined, shared, false)).toThrow(/a key of acme that is also one of rival/);
    expect(() => parseKeyRing('k', [entry('acme', 'k')], false)).toThrow(/a key of acme that is also one of default/);
    expect(() => parseKeyRing('k', [entry('acme', 'k')], false)).toThrow(expect.not.stringContaining(entry('', 'k')));
  });
});
