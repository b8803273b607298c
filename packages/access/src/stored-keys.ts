import { timingSafeEqual } from 'node:crypto';
import { ApiError } from '@sluice/errors/api-errors';
import { idOfApiKey } from './api-key.ts';
import type { Scope } from './scopes.ts';
import { sha256 } from './sha256.ts';

/** What a daemon needs of a key of the table `api_keys` to authenticate a request. */
export interface StoredKey {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the key. */
  readonly digest: Buffer;
  readonly scopes: readonly Scope[];
  /** Null for all tenants. */
  readonly tenant: string | null;
  /** Milliseconds since 1970; null for one that does not expire. */
  readonly expiresAt: number | null;
  /** Requests to the query API; null for the configured limit, 0 for none. */
  readonly requestsPerMinute: number | null;
  /** Events that ingest accepts; null for the configured limit, 0 for none. */
  readonly eventsPerSecond: number | null;
}

/** A daemon's copy of the stored keys that are neither revoked nor expired. */
export interface StoredKeys {
  /** False until the first set has arrived. No set is not an empty set: nothing is known then. */
  readonly known: boolean;
  /** Replaces the whole set. */
  replace(keys: readonly StoredKey[]): void;
  /**
   * Finds a key; null when it is not valid.
   *
   * @throws ApiError `keys_unavailable` for what looks like a stored key while no set has arrived yet
   */
  find(key: string): StoredKey | null;
  /** Ids of the keys that were found since the last call, with the time of the last use in milliseconds. */
  takeUses(): ReadonlyMap<string, number>;
}

/** Seconds after which a client should try again: by then a set may have arrived. */
const RETRY_AFTER_SECONDS = 5;

/** Makes a copy in which no set has arrived yet. */
export function createStoredKeys(): StoredKeys {
  let byId: ReadonlyMap<string, StoredKey> | null = null;
  let uses = new Map<string, number>();
  return {
    get known() {
      return byId !== null;
    },
    replace(keys) {
      byId = new Map(keys.map((each) => [each.id, each]));
    },
    find(key) {
      const id = idOfApiKey(key);
      if (id === null) return null;
      if (byId === null) {
        throw new ApiError('keys_unavailable', 'The stored API keys are not known to this instance yet.', {
          retryAfter: RETRY_AFTER_SECONDS,
        });
      }
      const stored = byId.get(id);
      if (stored === undefined || !timingSafeEqual(stored.digest, sha256(key))) return null;
      const now = Date.now();
      if (stored.expiresAt !== null && stored.expiresAt <= now) return null;
      uses.set(id, now);
      return stored;
    },
    takeUses() {
      const taken = uses;
      uses = new Map();
      return taken;
    },
  };
}
