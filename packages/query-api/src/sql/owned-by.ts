import { type RawBuilder, type SqlBool, sql } from 'kysely';

/** The rows that an operator may see: those of its tenant, by the column `tenant`; all rows with a key of all tenants. */
export function ownedBy({ tenant }: { readonly tenant: string | null }): RawBuilder<SqlBool> {
  return tenant === null ? sql<SqlBool>`true` : sql<SqlBool>`tenant = ${tenant}`;
}
