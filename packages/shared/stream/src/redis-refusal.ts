import { messageOf } from '@sluice/errors/message-of';

/** Redis was reached, and refused: the error is its answer, and not that of a connection. */
export interface RedisRefusal {
  /** First word of Redis's error, e.g. `READONLY`; `DATABASE`, `CLUSTER` or `VERSION` for an unsuitable server. */
  readonly code: string;
  /** What is wrong and what to do, in a sentence or two; with Redis's own words. */
  readonly message: string;
}

/** This server cannot be used at all; the connection to it is dropped. */
export class UnsuitableRedisError extends Error {
  readonly code: 'DATABASE' | 'CLUSTER' | 'VERSION';

  constructor(code: UnsuitableRedisError['code'], message: string) {
    super(message);
    this.name = 'UnsuitableRedisError';
    this.code = code;
  }
}

/** What an operator can do about each of Redis's errors. */
const ADVICE: Readonly<Record<string, string>> = {
  READONLY: 'Redis is a read-only replica. Point REDIS_URL at the master, or promote this server',
  NOPERM: 'The Redis user lacks a permission. Grant it with ACL SETUSER',
  WRONGTYPE: 'A key of Sluice holds data of another program. Rename or delete that key, or change SLUICE_NAMESPACE',
  OOM: 'Redis has no memory left. Raise its maxmemory, or wait until the writers have drained the queue',
  MISCONF: 'Redis cannot save its data. Look at its disk and its log',
  NOREPLICAS: 'Redis lacks the replicas that its min-replicas-to-write asks for. Bring them back',
  DATABASE: 'Redis does not have the database number of REDIS_URL. Correct it',
  LOADING: 'Redis is loading its data. Wait until it has',
  BUSY: 'A script blocks Redis. End it with SCRIPT KILL',
  MASTERDOWN: 'Redis is a replica without its master. Point REDIS_URL at the master, or promote this server',
  NOAUTH: 'Redis asks for a password. Put it into REDIS_URL',
  WRONGPASS: 'Redis does not accept the user or password of REDIS_URL. Correct them',
  MOVED: 'Redis runs in cluster mode, which this version does not support. Use a Redis without it',
  CROSSSLOT: 'Redis runs in cluster mode, which this version does not support. Use a Redis without it',
  CLUSTERDOWN: 'Redis runs in cluster mode, which this version does not support. Use a Redis without it',
};

/**
 * Explains an error that a Redis command ended with.
 *
 * @returns null when Redis did not answer: it is away, or took too long
 */
export function refusalOf(error: unknown): RedisRefusal | null {
  if (error instanceof UnsuitableRedisError) return { code: error.code, message: error.message };
  if (!(error instanceof Error) || error.name !== 'ReplyError') return null;
  const said = messageOf(error);
  const code = codeOf(said);
  const advice = ADVICE[code] ?? 'Redis refuses a command';
  return { code, message: `${advice} (${said})` };
}

/** Redis 7.0 prefixes what a script was refused with `ERR`, and hides the code in the sentence. */
function codeOf(said: string): string {
  if (/ACL failure|has no permissions|can't run this command or subcommand/i.test(said)) return 'NOPERM';
  if (/DB index is out of range|SELECT is not allowed/i.test(said)) return 'DATABASE';
  const hidden = /\b(READONLY|WRONGTYPE|OOM|MISCONF|NOREPLICAS)\b/.exec(said)?.[1];
  return hidden ?? /^-?([A-Z]+)\b/.exec(said)?.[1] ?? 'ERR';
}

/** What is wrong with Redis, in a sentence: its refusal, or that it cannot be reached. */
export function describeRedisError(error: unknown): string {
  return refusalOf(error)?.message ?? `Redis cannot be reached: ${messageOf(error)}`;
}
