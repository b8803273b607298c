/** Most keys that are shown of one command. */
const MAX_KEYS = 8;

/**
 * What a span shows of a Redis command: its name and its keys. OpenTelemetry's own serializer shows all arguments of
 * scripts and of most reads.
 */
export function redisStatement(command: string, args: readonly unknown[]): string {
  const keys = keysOf(command.toLowerCase(), args);
  const more = keys.length > MAX_KEYS ? [`… ${keys.length - MAX_KEYS} more`] : [];
  return [command, ...keys.slice(0, MAX_KEYS).map(String), ...more].join(' ');
}

function keysOf(command: string, args: readonly unknown[]): readonly unknown[] {
  // EVALSHA sha1 numkeys key … argument …
  if (/^(eval|evalsha|fcall)(_ro)?$/.test(command)) return args.slice(2, 2 + Number(args[1]));
  if (/^(del|unlink|exists|mget|touch)$/.test(command)) return args.flat();
  // XREADGROUP has its keys after STREAMS. Of others the first argument is the key, or a word such as INFO's.
  const streams = args.findIndex((each) => String(each).toLowerCase() === 'streams');
  if (/^xread(group)?$/.test(command)) return args.slice(streams + 1, streams + 1 + (args.length - streams - 1) / 2);
  return /^(auth|hello|acl|config)$/.test(command) ? [] : args.slice(0, 1).flat();
}
