import type { DestinationStream } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { visible, visibleLines } from '@sluice/errors/visible';
import type { ErrorDescription } from './describe-error.ts';

/** Fields with a fixed position in the line, and those that all lines share. */
const PLACED = new Set(['level', 'time', 'msg', 'daemon', 'version']);

/**
 * Writes lines for people: `09:30:00.123 INFO ingest-api ready url=http://127.0.0.1:8080`, with an error's stack below.
 * In colour where the terminal supports it and NO_COLOR is not set.
 *
 * Each line is written at once, in this process: a worker thread could lose the last lines of a daemon that ends.
 */
export function prettyOutput(output: DestinationStream, colorize?: boolean): DestinationStream {
  const pretty = prettyFactory({
    ...(colorize === undefined ? {} : { colorize }),
    translateTime: 'SYS:HH:MM:ss.l',
    customPrettifiers: { time: (time) => time as string },
    ignore: 'pid,hostname',
    hideObject: true,
    messageFormat: (line, messageKey, _levelLabel, { colors }) => {
      const fields = Object.entries(line).filter(([name]) => !PLACED.has(name));
      const plain = fields.filter(([, value]) => !isError(value));
      const below = fields.flatMap(([, value]) => (isError(value) ? stacksOf(value) : []));
      const said = [
        colors.gray(String(line['daemon'])),
        visible(String(line[messageKey])),
        ...plain.map(([name, value]) => `${colors.gray(`${name}=`)}${shown(value)}`),
      ].join(' ');
      return [said, ...below].join('\n');
    },
  });
  return { write: (line) => output.write(pretty(line)) };
}

function isError(value: unknown): value is ErrorDescription {
  return typeof value === 'object' && value !== null && 'stack' in value && typeof value.stack === 'string';
}

/** The stacks of an error and of its causes, indented. */
function stacksOf({ stack, cause, errors = [] }: ErrorDescription, label = ''): string[] {
  return [
    `    ${label}${visibleLines(stack).replaceAll('\n', '\n    ')}`,
    ...(cause === undefined ? [] : stacksOf(cause, 'caused by ')),
    ...errors.flatMap((each) => stacksOf(each, 'one of ')),
  ];
}

/** A field's value: one word as it is, anything else as JSON. */
function shown(value: unknown): string {
  return visible(typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : (JSON.stringify(value) ?? ''));
}
