import { sql, type Kysely } from 'kysely';
import { VERSION } from '@sluice/errors/version';
import type { Migration } from './migration.ts';

/** The daemon is too old for the schema. An operator has to start a newer version; a retry does not help. */
export class SchemaTooNewError extends Error {
  override readonly name = 'SchemaTooNewError';
}

/** A row of `sluice_migrations`. */
export interface AppliedMigration {
  readonly name: string;
  /** Null for one that 0.1.0 applied: it did not record it. */
  readonly compatibleSince: string | null;
  /** False while some of its indexes are not built yet. */
  readonly finished: boolean;
}

/** The migrations that were applied to a database; none in an empty one. */
export async function appliedMigrations(db: Kysely<unknown>): Promise<AppliedMigration[]> {
  const { rows: columns } = await sql<{ name: string }>`
    SELECT attname AS name FROM pg_attribute
    WHERE attrelid = to_regclass('sluice_migrations') AND attnum > 0 AND NOT attisdropped`.execute(db);
  if (columns.length === 0) return [];
  // A table of 0.1.0 has neither of the other columns.
  const isOld = !columns.some(({ name }) => name === 'finished');
  const { rows } = await sql<AppliedMigration>`
    SELECT name, ${isOld ? sql`NULL` : sql`compatible_since`} AS "compatibleSince", ${isOld ? sql`true` : sql`finished`} AS finished
    FROM sluice_migrations ORDER BY name`.execute(db);
  return rows;
}

/**
 * Accepts a schema with migrations that this version does not know, if each of them is compatible with this version.
 *
 * @throws SchemaTooNewError naming those that are not, and the version that is needed
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

/** Compares `x.y.z` and ignores what follows: 0.2.0-dev counts as 0.2.0. */
function isOlder(version: string, other: string): boolean {
  const [own, wanted] = [version, other].map((text) => text.split(/[.-]/).slice(0, 3).map(Number));
  for (let at = 0; at < 3; at += 1) {
    if (own![at] !== wanted![at]) return own![at]! < wanted![at]!;
  }
  return false;
}
