import { makeApiKey } from '@sluice/access/api-key';
import type { StoredKey } from '@sluice/access/stored-keys';

/** A stored key, and the text that a client sends. */
export interface TestKey {
  readonly key: string;
  readonly stored: StoredKey;
}

/** Makes a key as the query API does: for every scope and tenant, unless the test says otherwise. */
export function testKey(properties: Partial<StoredKey> = {}): TestKey {
  const { id, key, digest } = makeApiKey();
  const stored: StoredKey = {
    id,
    digest,
    name: 'test',
    scopes: ['ingest', 'read', 'operate', 'admin'],
    tenant: null,
    expiresAt: null,
    requestsPerMinute: null,
    eventsPerSecond: null,
    ...properties,
  };
  return { key, stored };
}

/** The secret part of a key, which must not appear anywhere. */
export function secretOf(key: string): string {
  return key.slice('slk_0123456789abcdef_'.length);
}
