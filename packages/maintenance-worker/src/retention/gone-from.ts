import { type RawBuilder, type SqlBool, sql } from 'kysely';

/** The events of an expiring segment that go with it: all but the keepers', which another segment has taken over. */
export function goneFrom({ keepers }: { readonly keepers: readonly string[] }): RawBuilder<SqlBool> {
  return keepers.length === 0 ? sql<SqlBool>`true` : sql<SqlBool>`tenant <> ALL(${keepers}::text[])`;
}
