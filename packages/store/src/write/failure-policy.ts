/**
 * Class of an error, which decides what follows:
 * - `transient`: the same statement may succeed soon: retry with backoff;
 * - `resource`: the server is out of a resource: wait, and count no attempt;
 * - `row`: an event cannot be stored as it is;
 * - `operator`: an operator has to fix the database or its schema first.
 */
export type FailureClass = 'transient' | 'resource' | 'row' | 'operator';

/** An error with its class, and what decided that. */
export interface Failure {
  readonly kind: FailureClass;
  /** SQLSTATE or errno; `unknown` where there is neither. */
  readonly code: string;
  readonly message: string;
  readonly detail: string | null;
}

/**
 * Classes by SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html) or by its first characters. The
 * longest match counts. A code that is not listed is the operator's: to stop is better than to guess.
 */
const CLASS_BY_SQLSTATE: Readonly<Record<string, FailureClass>> = {
  '08': 'transient', // connection exceptions
  '22': 'row', // data exceptions
  '23502': 'row', // not_null_violation
  '25006': 'transient', // read_only_sql_transaction: a failover is under way
  '25P03': 'transient', // idle_in_transaction_session_timeout
  '25P04': 'transient', // transaction_timeout
  '28': 'operator', // invalid authorization
  '3D000': 'operator', // database does not exist
  '40001': 'transient', // serialization_failure
  '40003': 'transient', // statement_completion_unknown
  '40P01': 'transient', // deadlock_detected
  '42': 'operator', // syntax error, missing table or column, no privilege
  '53': 'resource', // out of disk, memory, connections
  '54000': 'row', // program_limit_exceeded
  '54001': 'row', // statement_too_complex
  '55P03': 'transient', // lock_not_available
  '57014': 'transient', // query_canceled: statement_timeout
  '57P0': 'transient', // shutdown, crash, cannot connect now
};

/** The parent of the partitions: no partition for a row is an error of this table, without a constraint. */
const PARTITIONED_TABLE = 'events';

/**
 * Whether an error may be due to single events although its class is `operator`: a constraint, a unique index, a foreign
 * key or a trigger refused them (SQLSTATE class 23, and P0001 for RAISE EXCEPTION). It is, when other events of the batch
 * can be stored. A missing partition is of the same class, but refuses every event of its week.
 */
export function mayBeRowError(error: unknown): boolean {
  const { code, constraint, table } = rootOf(error);
  if (typeof code !== 'string' || !/^(?:23[0-9A-Z]{3}|P0001)$/.test(code)) return false;
  return !(code === '23514' && constraint === undefined && table === PARTITIONED_TABLE);
}

/** Socket errors of Node.js, and pg's messages for a connection that ends during a query. */
const SOCKET_ERRNOS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
const SOCKET_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|connection timeout/i;

/** Classifies the error of a write. */
export function classifyFailure(error: unknown): Failure {
  const root = rootOf(error);
  const code = typeof root.code === 'string' ? root.code : '';
  const message = root.message;
  const detail = typeof root.detail === 'string' ? root.detail : null;
  if (SOCKET_ERRNOS.has(code)) return { kind: 'transient', code, message, detail };
  if (/^[0-9A-Z]{5}$/.test(code)) {
    for (let length = code.length; length >= 2; length -= 1) {
      const kind = CLASS_BY_SQLSTATE[code.slice(0, length)];
      if (kind !== undefined) return { kind, code, message, detail };
    }
    return { kind: 'operator', code, message, detail };
  }
  if (SOCKET_MESSAGES.test(message)) return { kind: 'transient', code: 'connection_lost', message, detail };
  return { kind: 'operator', code: code || 'unknown', message, detail };
}

/**
 * Whether the server itself is away, full or read-only, so that every other statement fails too. A deadlock or a time-out
 * concerns one statement only.
 */
export function isServerAway(failure: Failure): boolean {
  if (failure.kind === 'resource') return true;
  return failure.kind === 'transient' && !/^(?:40|55|57014|25P)/.test(failure.code);
}

/** The innermost error: MikroORM wraps the errors of pg, and the innermost one has the code. */
function rootOf(error: unknown): RootError {
  let found = error as RootError & { cause?: unknown; errors?: unknown[] };
  for (let depth = 0; depth < 5; depth += 1) {
    const inner = found.cause ?? found.errors?.[0];
    if (typeof inner !== 'object' || inner === null) break;
    found = inner as typeof found;
  }
  return typeof found === 'object' && found !== null ? found : { message: String(error) };
}

interface RootError {
  readonly code?: unknown;
  readonly message: string;
  readonly detail?: unknown;
  /** Of pg: names of what refused a row. */
  readonly constraint?: unknown;
  readonly table?: unknown;
}
