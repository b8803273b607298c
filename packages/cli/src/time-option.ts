import { InvalidArgumentError } from 'commander';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** An option that names a time in the past: ISO 8601, or an age that is counted back from now. */
export function timeAgo(text: string): string {
  return timeFrom(text, -1);
}

/** An option that names a time to come: ISO 8601, or how long from now. */
export function timeAhead(text: string): string {
  return timeFrom(text, 1);
}

function timeFrom(text: string, direction: 1 | -1): string {
  const span = /^(\d+)([smhd])$/.exec(text);
  const ms = span === null ? Date.parse(text) : Date.now() + direction * Number(span[1]) * UNIT_MS[span[2]!]!;
  if (Number.isNaN(ms))
    throw new InvalidArgumentError('Give ISO 8601 such as 2026-11-21T09:30:00Z, or a span such as 24h.');
  return new Date(ms).toISOString();
}
