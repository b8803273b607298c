/** Name of the table of a segment that has one number. */
export function segmentTable(segment: number): string {
  return `events_s${segment}`;
}
