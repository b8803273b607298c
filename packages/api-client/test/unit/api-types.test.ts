import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { API_TYPES_FILE, makeApiTypes } from '../../scripts/make-api-types.ts';

it('the types that the CLI is written against are those of the query API; if not: pnpm api-types', async () => {
  expect(readFileSync(API_TYPES_FILE, 'utf8')).toBe(await makeApiTypes());
});
