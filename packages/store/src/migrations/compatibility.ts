import { sql, type Kysely } from 'kysely';
import { VERSION } from '@sluice/errors/version';
import type { Migration } from './migration.ts';

/** A daemon that is too old for the schema. Somebody has to start a newer one; trying again is of no use. */
export class SchemaTooNewError extends Error {
  override readonly name = 'SchemaTooNewError';
}

/** A row of `sluice_migrations`. */
export interface AppliedMigration {
  readonly name: string;
  /** Null for one that was applied by 0.1.0, which did not say it. */
  readonly compatibleSince: string | null;
  /** False while indexes of it are still to be built. */
  readonly finished: boolean;
}

/** What was applied to a database; nothing in an empty one. */
export async function appliedMigrations(db: Kysely<unknown>): Promise<AppliedMigration[]> {
  const { rows: columns } = await sql<{ name: string }>`
    SELECT attname AS name FROM pg_attribute
    WHERE attrelid = to_regclass('sluice_migrations') AND attnum > 0 AND NOT attisdropped`.execute(db);
  if (columns.length === 0) return [];
  // Of 0.1.0, which had neither of the other columns.
  const isOld = !columns.some(({ name }) => name === 'finished');
  const { rows } = await sql<AppliedMigration>`
    SELECT name, ${isOld ? sql`NULL` : sql`compatible_since`} AS "compatibleSince", ${isOld ? sql`true` : sql`finished`} AS finished
    FROM sluice_migrations ORDER BY name`.execute(db);
  return rows;
}

/**
 * Accepts a schema that has migrations which this version does not know, if each of them says that it can run with it.
 *
 * @throws SchemaTooNewError naming those that do not, and the version that is needed
 */
export function requireCompatible(
  applied: readonly AppliedMigration[],
  known: readonly Migration[],
  version: string = VERSION,
): void {
  const refused = applied.filter(
    ({ name, compatibleSince }) =>
      !known.some((migration) => migration.name === name) &&
      (compatibleSince === null || isOlder(version, compatibleSince)),
  );
  if (refused.length === 0) return;
  const needed = refused.map(
    ({ name, compatibleSince }) => `${name} needs ${compatibleSince ?? 'the version that made it'}`,
  );
  throw new SchemaTooNewError(
    `the database was migrated by a newer Sluice, and this one (${version}) is too old for it: ${needed.join(', ')}; run that version or a newer one`,
  );
}

/** Compares `x.y.z`. What follows the numbers does not count: 0.2.0-dev can do what 0.2.0 can. */
function isOlder(version: string, other: string): boolean {
  const [own, wanted] = [version, other].map((text) => text.split(/[.-]/).slice(0, 3).map(Number));
  for (let at = 0; at < 3; at += 1) {
    if (own![at] !== wanted![at]) return own![at]! < wanted![at]!;
  }
  return false;
}
