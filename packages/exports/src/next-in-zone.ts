import { getNextMillis } from 'bullmq';
import { zoneOffset } from './zone-offset.ts';

/**
 * The first time after `after` at which a cron line is due by the clocks of a time zone.
 *
 * The line is read on a clock that never changes. What it gives is then looked up in the zone:
 *
 * - a time that the clocks skip is due as much later as they skip: 02:30 becomes 03:30, midnight becomes 01:00
 * - a time that the clocks show twice is due the first time
 * - a line for every hour (`*` in its second field) follows the clocks: both times, and not at all for a skipped time
 *
 * cron-parser's own arithmetic of zones is not used: version 5.10.3 leaves out a day where the clocks skip midnight
 * (Cairo, Beirut, Havana, Santiago, the Azores), finds nothing on Lord Howe Island, whose clocks change by half an
 * hour, and goes back in time on the Chatham Islands.
 *
 * @param pattern five fields
 * @param zone an IANA name
 * @param after in milliseconds since 1970, as the result
 * @returns always later than `after`; null when the line is never due, e.g. on 31 April
 */
export function nextInZone(pattern: string, zone: string, after: number): number | null {
  const offset = zoneOffset(zone, after);
  const wall = nextOnWall(pattern, after + offset);
  if (wall === null) return null;
  const due = wall - offset;
  if (!changesNear(zone, after) && !changesNear(zone, due)) return wall - zoneOffset(zone, due);
  return nextNearChange(pattern, zone, after);
}

/** Further away than this a change of clocks does not matter. No change was ever longer than a day. */
const NEAR_MS = 26 * 60 * 60_000;

const EVERY_HOUR = /^\S+ (\*|\?|\*\/1|0-23) /;

/** The next time of the line by a clock without a zone: what it shows, as if it were UTC. */
function nextOnWall(pattern: string, wall: number): number | null {
  return getNextMillis(wall, { pattern, tz: 'UTC' }) ?? null;
}

function changesNear(zone: string, at: number): boolean {
  return zoneOffset(zone, at - NEAR_MS) !== zoneOffset(zone, at + NEAR_MS);
}

/** The earliest of all due times: near a change, a later time on the wall may come earlier. */
function nextNearChange(pattern: string, zone: string, after: number): number | null {
  const everyHour = EVERY_HOUR.test(pattern);
  let best: number | null = null;
  const first = after + Math.min(...offsetsNear(zone, after));
  for (let wall = nextOnWall(pattern, first); wall !== null; wall = nextOnWall(pattern, wall)) {
    if (best !== null && wall - Math.max(...offsetsNear(zone, wall)) >= best) break;
    for (const due of instantsOf(zone, wall, everyHour)) {
      if (due > after && (best === null || due < best)) best = due;
    }
  }
  return best;
}

/** When the clocks of a zone show a time, the first one first. */
function instantsOf(zone: string, wall: number, everyHour: boolean): readonly number[] {
  const [before, later] = offsetsNear(zone, wall);
  const shown = [...new Set([before, later])]
    .map((offset) => wall - offset)
    .filter((at) => at + zoneOffset(zone, at) === wall)
    .toSorted((one, other) => one - other);
  if (everyHour) return shown;
  // By the old clock, a skipped time is as long after the change as the new clock has skipped.
  return [shown[0] ?? wall - before];
}

/** The offsets of a zone before and after a change that is near; the same one twice without. */
function offsetsNear(zone: string, at: number): readonly [before: number, later: number] {
  return [zoneOffset(zone, at - NEAR_MS), zoneOffset(zone, at + NEAR_MS)];
}
