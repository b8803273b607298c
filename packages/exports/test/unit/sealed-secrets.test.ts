import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseSealingKeys, seal, SealError, unseal } from '../../src/sealed-secrets.ts';

const entry = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`;
const [old, recent] = [entry('2025'), entry('2026')];
const keys = parseSealingKeys([recent, old]);
const context = { tenant: 'acme', purpose: 'export-credentials' };
const problemOf = (work: () => unknown): SealError => {
  try {
    work();
  } catch (error) {
    return error as SealError;
  }
  throw new Error('nothing was thrown');
};

describe('sealing', () => {
  it('seals with the first key, never twice to the same bytes, and opens to the same text', () => {
    const one = seal(keys, 'the secret ✓', context);
    const two = seal(keys, 'the secret ✓', context);
    expect(one.keyId).toBe('2026');
    expect(unseal(keys, one, context)).toBe('the secret ✓');
    expect(one.bytes.equals(two.bytes)).toBe(false);
    expect(one.bytes.includes('the secret')).toBe(false);
  });

  it('opens what an older key has sealed, for as long as that is listed', () => {
    const sealed = seal(parseSealingKeys([old]), 'x', context);
    expect(unseal(keys, sealed, context)).toBe('x');
    const problem = problemOf(() => unseal(parseSealingKeys([recent]), sealed, context));
    expect(problem).toMatchObject({
      code: 'unknown_key',
      message: expect.stringMatching(/acme.*key 2025.*EXPORT_ENCRYPTION_KEYS/) as string,
    });
  });

  it('notices every changed bit', () => {
    const { bytes, keyId } = seal(keys, 'x', context);
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      expect(problemOf(() => unseal(keys, { bytes: changed, keyId }, context)).code, `byte ${at}`).toBe('damaged');
    }
    for (const length of [0, 1, 12, 28, bytes.length - 1]) {
      expect(problemOf(() => unseal(keys, { bytes: bytes.subarray(0, length), keyId }, context)).code).toBe('damaged');
    }
  });

  it.each([
    { tenant: 'evil', purpose: 'export-credentials' },
    { tenant: 'acme', purpose: 'something-else' },
  ])('does not open for %j', (other) => {
    expect(problemOf(() => unseal(keys, seal(keys, 'x', context), other)).code).toBe('damaged');
  });

  it('does not open under another key id', () => {
    const { bytes } = seal(keys, 'x', context);
    expect(problemOf(() => unseal(keys, { bytes, keyId: '2025' }, context)).code).toBe('damaged');
  });

  it('without a key nothing can be sealed', () => {
    const problem = problemOf(() => seal(parseSealingKeys(undefined), 'x', context));
    expect(problem.message).toContain('EXPORT_ENCRYPTION_KEYS is not set');
  });
});

describe('EXPORT_ENCRYPTION_KEYS', () => {
  it('is refused with a key of another length or an id that comes twice, and no key is shown', () => {
    const short = randomBytes(16).toString('base64');
    expect(() => parseSealingKeys([`a:${short}`, recent, `2026:${old.slice(5)}`])).toThrow(
      /key a has 16 bytes; it must have 32[\s\S]*id 2026 is there twice/,
    );
    expect(problemOf(() => parseSealingKeys([`a:${short}`])).message).not.toContain(short);
  });
});
