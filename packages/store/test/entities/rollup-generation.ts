import { defineEntity, p } from '@mikro-orm/core';

/**
 * One set of roll-ups, and how far it has come. An event is in it when its `tx` is below `tx` or its `stored_at`
 * before `floor`; see docs/decisions/0010-rollups.md.
 */
export const RollupGeneration = defineEntity({
  name: 'RollupGeneration',
  tableName: 'rollup_generations',
  checks: [{ name: 'rollup_generations_state', expression: "state IN ('building', 'live', 'retired')" }],
  uniques: [{ name: 'rollup_generations_current', properties: ['state'], where: "state <> 'retired'" }],
  triggers: [
    {
      name: 'refuse_old_fold',
      timing: 'before',
      events: ['update'],
      forEach: 'statement',
      expression: `CREATE TRIGGER refuse_old_fold BEFORE UPDATE OF tx ON rollup_generations FOR EACH STATEMENT
                   EXECUTE FUNCTION sluice_refuse_old_fold()`,
    },
  ],
  properties: {
    generation: p.smallint().primary().autoincrement(false),
    /** `live` is the one that is read, `building` will be, `retired` is being deleted. */
    state: p.text(),
    /** Of the cluster whose transactions `tx` is an id. */
    systemIdentifier: p.text(),
    tx: p.type('xid8').columnType('xid8').$type<string>(),
    floor: p.datetime(6),
    /** When it was folded last. */
    foldedAt: p.datetime(6),
    /** What was committed before this time is in it; null before it was folded first. */
    foldedTo: p.datetime(6).nullable(),
    /** How many events are in it. */
    events: p.bigint().defaultRaw('0'),
  },
});
