import { defineEntity, p } from '@mikro-orm/core';

const properties = () => ({
  /** Which set of roll-ups; see RollupGeneration. */
  generation: p.smallint().primary(),
  tenant: p.text().primary(),
  /** `event_type`, `actor`, `session_id` or `resource`: the column of `events` whose values are counted. */
  dimension: p.text().primary(),
  /** Start of the hour, day or week of `occurred_at`, in UTC. */
  bucket: p.datetime(3).primary(),
  value: p.text().primary(),
  /** How many events of the bucket have the value; never 0. */
  events: p.bigint(),
});

/** Events by hour: how many have which value. */
export const RollupHour = defineEntity({ name: 'RollupHour', tableName: 'rollup_hours', properties: properties() });

/** The same by day. */
export const RollupDay = defineEntity({ name: 'RollupDay', tableName: 'rollup_days', properties: properties() });

/** The same by week, which begins on Monday. */
export const RollupWeek = defineEntity({ name: 'RollupWeek', tableName: 'rollup_weeks', properties: properties() });
