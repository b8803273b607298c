import { afterAll, beforeAll, expect, it } from 'vitest';
import { hasLargeNumber, parseKeepingDigits } from '@sluice/events/json/parse-json';
import { writtenOutBytes } from '@sluice/events/json/written-out';
import { seededRandom } from '@sluice/testkit/random';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';

/** What ingest counts as the length of a number is what Postgres makes of it. */
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
});
afterAll(() => database.drop());

/** What the writer sends of a literal. */
function sentOf(literal: string): string {
  const parsed: unknown = JSON.parse(literal);
  return JSON.stringify(hasLargeNumber(parsed) ? parseKeepingDigits(literal) : parsed);
}

it('Postgres writes numbers out as long as ingest counts them', async () => {
  const random = seededRandom(1);
  const literals = ['1e308', '1E+0308', '-1e-307', '5e-324', '0e308', '-0e1', '1e-400', '1e21', '1e3', '1.50e1'];
  for (let count = 0; count < 2_000; count += 1) {
    const whole = random.int(4) === 0 ? '0' : String(1 + random.int(10 ** (1 + random.int(9))));
    const decimals = random.int(2) === 0 ? '' : `.${random.int(10 ** random.int(9))}`;
    literals.push(`${random.pick(['', '-'])}${whole}${decimals}${random.pick(['e', 'E+', 'e-'])}${random.int(298)}`);
  }
  const rows = await database.query<{ length: number }>(
    'SELECT length(number::jsonb::text) AS length FROM unnest($1::text[]) WITH ORDINALITY AS given (number, place) ORDER BY place',
    [literals.map(sentOf)],
  );
  const wrong = literals
    .map((literal, at) => ({ literal, counted: writtenOutBytes(Buffer.from(literal)), written: rows[at]!.length }))
    .filter(({ counted, written }) => counted !== written);
  expect(wrong).toEqual([]);
});
