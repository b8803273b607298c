/**
 * How far the clocks of a time zone are ahead of UTC, in milliseconds.
 *
 * @param zone an IANA name
 * @param at in milliseconds since 1970
 * @throws RangeError for a zone that this version of Node.js does not know
 */
export function zoneOffset(zone: string, at: number): number {
  let format = FORMATS.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
    FORMATS.set(zone, format);
  }
  // e.g. `11/29/2026, GMT+05:45`; `GMT` alone at offset 0.
  const [, sign, hours, minutes, seconds] = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(format.format(at)) ?? [];
  if (sign === undefined) return 0;
  const size = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds ?? 0)) * 1_000;
  return sign === '-' ? -size : size;
}

/** Making a format takes longer than a thousand uses of it. There are some six hundred names. */
const FORMATS = new Map<string, Intl.DateTimeFormat>();
