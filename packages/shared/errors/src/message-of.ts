/** Texts of ioredis that speak of its options; people want to know what is the matter. */
const SAID_PLAINLY: readonly (readonly [start: string, plain: string])[] = [
  ["Stream isn't writeable and enableOfflineQueue", 'not connected to Redis'],
  ['Reached the max retries per request limit', 'the connection to Redis broke before it answered'],
];

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node's error for a host name of which no address answers says nothing itself.
  if (error.message === '' && error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return SAID_PLAINLY.find(([start]) => error.message.startsWith(start))?.[1] ?? error.message;
}
