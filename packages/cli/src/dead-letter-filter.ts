import { type Command, InvalidArgumentError, Option } from 'commander';
import { timeAgo } from './time-option.ts';

const STATES = ['dead', 'replaying', 'replayed', 'discarded', 'all'] as const;

/** The filter in the form that the API accepts. */
export interface DeadLetterFilter {
  reason?: string;
  event_type?: string;
  tenant?: string;
  since?: string;
  until?: string;
  text?: string;
  state?: (typeof STATES)[number];
}

/** Adds the options that choose dead letters. They are the same for every command that works on several. */
export function withFilterOptions(command: Command): Command {
  return command
    .option('--reason <code>', 'why it is dead, e.g. invalid_value')
    .option('--event-type <type>', 'type of the event')
    .option('--tenant <tenant>', 'whose event it is')
    .option('--since <time>', 'failed first at or after: ISO 8601, or an age such as 90m, 24h, 7d', timeAgo)
    .option('--until <time>', 'failed first before', timeAgo)
    .option('--text <text>', 'part of the message or the payload');
}

/** The option `--state` of commands that only read. */
export function stateOption(): Option {
  return new Option('--state <state>', 'their state').choices(STATES).default('dead');
}

/** Reads the filter from a command's options. */
export function filterOf(options: Record<string, unknown>): DeadLetterFilter {
  const { reason, eventType, tenant, since, until, text, state } = options as Record<string, string | undefined>;
  const filter = { reason, event_type: eventType, tenant, since, until, text, state };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

/** Checks the id of a dead letter on the command line. */
export function parseId(text: string): string {
  if (!/^\d{1,19}$/.test(text))
    throw new InvalidArgumentError('An id is a whole number; see "./sluice dead-letters list".');
  return text;
}
