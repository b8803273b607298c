import { type Command, InvalidArgumentError } from 'commander';

/** The filter as the API takes it. */
export interface DeadLetterFilter {
  reason?: string;
  event_type?: string;
  tenant?: string;
  since?: string;
  until?: string;
  text?: string;
  state?: string;
}

/** Options that choose dead letters, the same for every command that takes several. */
export function withFilterOptions(command: Command): Command {
  return command
    .option('--reason <code>', 'why it is dead, e.g. invalid_value')
    .option('--event-type <type>', 'type of the event')
    .option('--tenant <tenant>', 'whose event it is')
    .option('--since <time>', 'failed first at or after: ISO 8601, or an age such as 90m, 24h, 7d', parseTime)
    .option('--until <time>', 'failed first before', parseTime)
    .option('--text <text>', 'part of the message or the payload');
}

/** The filter out of a command's options. */
export function filterOf(options: Record<string, unknown>): DeadLetterFilter {
  const { reason, eventType, tenant, since, until, text, state } = options as Record<string, string | undefined>;
  const filter = { reason, event_type: eventType, tenant, since, until, text, state };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

const AGE_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** An age is counted back from now. */
function parseTime(text: string): string {
  const age = /^(\d+)([smhd])$/.exec(text);
  const ms = age === null ? Date.parse(text) : Date.now() - Number(age[1]) * AGE_MS[age[2]!]!;
  if (Number.isNaN(ms))
    throw new InvalidArgumentError('Give ISO 8601 such as 2026-11-21T09:30:00Z, or an age such as 24h.');
  return new Date(ms).toISOString();
}

/** Ids of dead letters on the command line. */
export function parseId(text: string): string {
  if (!/^\d{1,19}$/.test(text))
    throw new InvalidArgumentError('An id is a whole number; see "sluice dead-letters list".');
  return text;
}
