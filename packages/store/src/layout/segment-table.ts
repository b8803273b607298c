/** Table of what 0.1.0 left: the partition of the number 0, itself partitioned by week. */
export const WEEKLY_PARENT = 'events_weekly';

/** Name of the table of a segment that has one number. */
export function segmentTable(segment: number): string {
  return `events_s${segment}`;
}

/** Name of the table that a segment is a partition of. @param from its first number */
export function parentTable({ from }: { readonly from: number }): string {
  return from === 0 ? WEEKLY_PARENT : 'events';
}
