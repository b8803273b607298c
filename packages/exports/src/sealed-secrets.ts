import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { ConfigError } from '@sluice/daemon/config/config-error';

/** Keys that seal secrets at rest, by their id. */
export interface SealingKeys {
  /** Seals what is new; null when no key is configured. */
  readonly active: { readonly id: string; readonly key: Buffer } | null;
  readonly byId: ReadonlyMap<string, Buffer>;
}

/** A secret as it is stored. */
export interface Sealed {
  readonly bytes: Buffer;
  readonly keyId: string;
}

/** What a secret belongs to. The seal authenticates it, so that a row copied to another tenant can't be opened. */
export interface SealContext {
  readonly tenant: string;
  readonly purpose: string;
}

/** Why a secret can't be opened. The message names the key and never the secret. */
export class SealError extends Error {
  readonly code: 'unknown_key' | 'damaged';

  constructor(code: 'unknown_key' | 'damaged', message: string) {
    super(message);
    this.name = 'SealError';
    this.code = code;
  }
}

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
/** 96 bits, the length that GCM is made for; random, so one key may seal 2^32 secrets (NIST SP 800-38D, 8.3). */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** First byte of a sealed secret: the version of its layout. */
const LAYOUT = 1;

/**
 * Reads EXPORT_ENCRYPTION_KEYS.
 *
 * @param entries `id:base64 of 32 bytes` each, the first is the active one; undefined when none is configured
 * @throws ConfigError naming the entry by its id, never its key
 */
export function parseSealingKeys(entries: readonly string[] | undefined): SealingKeys {
  const byId = new Map<string, Buffer>();
  const problems: string[] = [];
  for (const entry of entries ?? []) {
    const at = entry.indexOf(':');
    const id = entry.slice(0, at);
    const key = Buffer.from(entry.slice(at + 1), 'base64');
    if (key.length !== KEY_BYTES) {
      problems.push(`EXPORT_ENCRYPTION_KEYS: the key ${id} has ${key.length} bytes; it must have ${KEY_BYTES}`);
    }
    if (byId.has(id)) problems.push(`EXPORT_ENCRYPTION_KEYS: the id ${id} is there twice`);
    byId.set(id, key);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const [first] = byId;
  return { active: first === undefined ? null : { id: first[0], key: first[1] }, byId };
}

/** Seals a text with AES-256-GCM. @throws SealError `unknown_key` when no key is configured */
export function seal(keys: SealingKeys, secret: string, context: SealContext): Sealed {
  if (keys.active === null) {
    throw new SealError('unknown_key', 'EXPORT_ENCRYPTION_KEYS is not set');
  }
  const { id, key } = keys.active;
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(authenticated(id, context));
  const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return { bytes: Buffer.concat([Buffer.from([LAYOUT]), nonce, cipher.getAuthTag(), text]), keyId: id };
}

/**
 * Opens what `seal` made.
 *
 * @throws SealError `unknown_key` when its key is not configured (any more); `damaged` when it was changed, or belongs
 *   to another tenant or purpose
 */
export function unseal(keys: SealingKeys, { bytes, keyId }: Sealed, context: SealContext): string {
  const key = keys.byId.get(keyId);
  if (key === undefined) {
    throw new SealError(
      'unknown_key',
      `The secrets of ${context.tenant} are sealed with the key ${keyId}, which EXPORT_ENCRYPTION_KEYS does not have`,
    );
  }
  const nonceEnd = 1 + NONCE_BYTES;
  const tagEnd = nonceEnd + TAG_BYTES;
  try {
    if (bytes[0] !== LAYOUT || bytes.length < tagEnd) throw new Error('unknown layout');
    const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(1, nonceEnd), { authTagLength: TAG_BYTES });
    decipher.setAAD(authenticated(keyId, context));
    decipher.setAuthTag(bytes.subarray(nonceEnd, tagEnd));
    return Buffer.concat([decipher.update(bytes.subarray(tagEnd)), decipher.final()]).toString('utf8');
  } catch {
    throw new SealError(
      'damaged',
      `The secrets of ${context.tenant} cannot be opened with the key ${keyId}: they were changed, belong to another tenant, or another key has this id now`,
    );
  }
}

/** JSON, so that no two contexts give the same bytes. */
function authenticated(keyId: string, { tenant, purpose }: SealContext): Buffer {
  return Buffer.from(JSON.stringify([LAYOUT, keyId, purpose, tenant]));
}
