/** Error texts of ioredis that name its options, with plain texts that name the problem. */
const SAID_PLAINLY: readonly (readonly [start: string, plain: string])[] = [
  ["Stream isn't writeable and enableOfflineQueue", 'not connected to Redis'],
  ['Reached the max retries per request limit', 'the connection to Redis broke before it answered'],
];

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // When no address of a host name answers, Node throws an AggregateError with an empty message.
  if (error.message === '' && error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return SAID_PLAINLY.find(([start]) => error.message.startsWith(start))?.[1] ?? error.message;
}
