import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@sluice/daemon/config/config-error';
import { parseTenantKeys } from '../../../src/keys/tenant-keys.ts';

const entry = (tenant: string, key: string): string => `${tenant}:${createHash('sha256').update(key).digest('hex')}`;

describe('parseTenantKeys', () => {
  it('is open only when neither variable is set', () => {
    expect(parseTenantKeys(undefined, undefined, false).open).toBe(true);
    expect(parseTenantKeys('k', undefined, false).open).toBe(false);
    expect(parseTenantKeys(undefined, [entry('acme', 'k')], false).open).toBe(false);
    expect(parseTenantKeys(undefined, undefined, true).open).toBe(false);
    expect(parseTenantKeys(undefined, undefined, true).find('')).toBeNull();
    // An empty list is refused before it gets here; were it not, it would let nobody in.
    expect(parseTenantKeys(undefined, [], false).open).toBe(false);
    expect(parseTenantKeys(undefined, [], false).find('')).toBeNull();
  });

  it('finds whose a key is', () => {
    const keys = parseTenantKeys(
      'master',
      [entry('acme', 'a'), entry('rival', 'r').toUpperCase().replace('RIVAL', 'rival')],
      false,
    );
    expect(keys.find('master')).toMatchObject({ tenant: null, scopes: ['ingest'] });
    expect(keys.find('a')).toMatchObject({ tenant: 'acme', scopes: ['ingest'] });
    expect(keys.find('r')).toMatchObject({ tenant: 'rival' });
    for (const unknown of ['', 'A', 'a ', 'master\0', entry('acme', 'a')]) expect(keys.find(unknown)).toBeNull();
  });

  it('accepts several keys of one tenant, and the same key twice', () => {
    const keys = parseTenantKeys(undefined, [entry('acme', 'old'), entry('acme', 'new'), entry('acme', 'new')], false);
    expect(keys.find('old')?.tenant).toBe('acme');
    expect(keys.find('new')?.tenant).toBe('acme');
  });

  it('refuses one key of two tenants, also when one of them is that of API_KEY, without showing it', () => {
    const shared = [entry('acme', 'k'), entry('rival', 'k')];
    expect(() => parseTenantKeys(undefined, shared, false)).toThrow(ConfigError);
    expect(() => parseTenantKeys(undefined, shared, false)).toThrow(/a key of acme that is also one of rival/);
    expect(() => parseTenantKeys('k', [entry('acme', 'k')], false)).toThrow(
      /a key of acme that is also one of default/,
    );
    expect(() => parseTenantKeys('k', [entry('acme', 'k')], false)).toThrow(
      expect.not.stringContaining(entry('', 'k')),
    );
  });
});
