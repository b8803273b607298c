import { parseKeepingDigits } from '@sluice/shared/events/parse-json';
import { EXIT } from './exit-codes.ts';

/** A failure that ends the command: one line for people, and its exit code. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

/** Query parameters; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** Talks to the query API. Large whole numbers in answers keep their digits, so that an edit gives them back. */
export interface ApiClient {
  readonly url: string;
  get<T>(path: string, query?: Query): Promise<T>;
  send<T>(method: 'POST' | 'PATCH', path: string, body?: unknown): Promise<T>;
  /** The answer's bytes as they come. */
  stream(path: string, query: Query, accept: string): Promise<ReadableStream<Uint8Array>>;
}

/** @param timeoutMs how long an answer may take to begin; streams may go on for longer */
export function createApiClient(url: string, key: string | undefined, timeoutMs = 30_000): ApiClient {
  async function call(path: string, init: RequestInit & { query?: Query }): Promise<Response> {
    const target = new URL(path, url);
    for (const [name, value] of Object.entries(init.query ?? {})) {
      if (value !== undefined) target.searchParams.set(name, String(value));
    }
    const headers = { ...(key === undefined ? {} : { 'x-api-key': key }), ...(init.headers as Record<string, string>) };
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), timeoutMs);
    let response: Response;
    try {
      response = await fetch(target, { ...init, headers, signal: limit.signal });
    } catch (error) {
      const reason = limit.signal.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error);
      throw new CommandError(
        `The query API at ${url} cannot be reached (${reason}). Is it running? Start it with "npx pnpm@12 start", or name another with --url.`,
        EXIT.unreachable,
      );
    } finally {
      clearTimeout(timer);
    }
    if (!response.ok) throw await refusal(response);
    return response;
  }
  return {
    url,
    get: async (path, query = {}) => parseKeepingDigits(await (await call(path, { query })).text()) as never,
    async send(method, path, body = {}) {
      const response = await call(path, {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return parseKeepingDigits(await response.text()) as never;
    },
    async stream(path, query, accept) {
      const response = await call(path, { query, headers: { accept } });
      if (response.body === null) throw new CommandError('The answer has no body.', EXIT.failed);
      return response.body;
    },
  };
}

async function refusal(response: Response): Promise<CommandError> {
  const text = await response.text();
  let told: { code?: string; message?: string; request_id?: string } = {};
  try {
    told = (JSON.parse(text) as { error?: typeof told }).error ?? {};
  } catch {
    told = { message: text.slice(0, 200) };
  }
  const hint = response.status === 401 ? ' Give a key with --key or API_KEY.' : '';
  return new CommandError(
    `${told.message ?? response.statusText} [${told.code ?? response.status}${told.request_id ? `, request ${told.request_id}` : ''}]${hint}`,
    EXIT.failed,
  );
}

function reasonOf(error: unknown): string {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause;
  return cause?.code ?? cause?.message ?? String(error);
}
