import { visible } from '@sluice/errors/visible';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import type { paths } from './api-types.ts';
import { EXIT } from './exit-codes.ts';

/** A failure that ends the command: one line for people, and its exit code. */
export class CommandError extends Error {
  readonly exitCode: number;
  /** Of the API's answer; undefined without one. */
  readonly status: number | undefined;

  constructor(message: string, exitCode: number, status?: number) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
    this.status = status;
  }
}

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** Paths of the API that have this method, from its OpenAPI document. */
type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P][M] extends { responses: object } ? P : never;
}[keyof paths];

type PathPart<Operation> = Operation extends { parameters: { path: infer Values } } ? { path: Values } : object;
type QueryPart<Operation> = Operation extends { parameters: { query?: infer Values } } ? { query?: Values } : object;
type BodyPart<Operation> = Operation extends { requestBody: { content: { 'application/json': infer Body } } }
  ? { body: Body }
  : object;

/** A request's `path`, `query` and `body`, as far as the operation has them. */
type RequestOf<M extends Method, P extends keyof paths> = PathPart<paths[P][M]> &
  QueryPart<paths[P][M]> &
  BodyPart<paths[P][M]>;

type JsonOf<Response> = Response extends { content: { 'application/json': infer Body } } ? Body : never;

/** The answer of an operation that succeeds. */
export type AnswerOf<M extends Method, P extends PathOf<M>> = paths[P][M] extends { responses: infer Responses }
  ? JsonOf<Responses[keyof Responses]>
  : never;

type Parameter = string | number | boolean | undefined;

/** A request whose types are already checked. */
interface AnyRequest {
  readonly path?: Readonly<Record<string, string>>;
  /** Undefined values are left out; each element of a list becomes a parameter of the same name. */
  readonly query?: Readonly<Record<string, Parameter | readonly Parameter[]>>;
  readonly body?: unknown;
}

/** Calls the query API. Large whole numbers in answers keep their digits, so that an edit sends them back unchanged. */
export interface ApiClient {
  readonly url: string;
  /** Calls an operation. Paths, parameters and answers are typed from the API's document. */
  call<M extends Method, P extends PathOf<M>>(method: M, path: P, request: RequestOf<M, P>): Promise<AnswerOf<M, P>>;
  /** Returns the answer's bytes as they arrive. */
  stream<P extends PathOf<'get'>>(
    path: P,
    request: RequestOf<'get', P>,
    accept: string,
  ): Promise<ReadableStream<Uint8Array>>;
}

/** @param timeoutMs how long an answer may take to begin; a stream may then last longer */
export function createApiClient(url: string, key: string | undefined, timeoutMs = 30_000): ApiClient {
  async function send(method: Method, path: string, request: AnyRequest, accept: string): Promise<Response> {
    const { path: names = {}, query = {}, body } = request;
    // Below the path of the URL, if it has one: the API may lie behind a proxy's prefix.
    const below = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(names[name]!));
    const target = new URL(`${url.replace(/\/+$/, '')}${below}`);
    for (const [name, value] of Object.entries(query)) {
      for (const each of [value].flat()) if (each !== undefined) target.searchParams.append(name, String(each));
    }
    const headers = {
      accept,
      ...(key === undefined ? {} : { 'x-api-key': key }),
      // Also without a body: an API that runs open takes no other POST.
      ...(body === undefined && method !== 'post' ? {} : { 'content-type': 'application/json' }),
    };
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), timeoutMs);
    let response: Response;
    try {
      response = await fetch(target, {
        method: method.toUpperCase(),
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        signal: limit.signal,
      });
    } catch (error) {
      const reason = limit.signal.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error, target);
      throw new CommandError(
        `The query API at ${url} cannot be reached (${reason}). Is it running? Start it with "npx -y pnpm@12 start", or name another with --url.`,
        EXIT.unreachable,
      );
    } finally {
      clearTimeout(timer);
    }
    if (response.status === 404) await expectQueryApi(response.clone(), target, url);
    if (!response.ok) throw await refusal(response);
    return response;
  }
  return {
    url,
    async call(method, path, request) {
      const response = await send(method, path, request, 'application/json');
      const text = await response.text();
      try {
        return parseKeepingDigits(text) as never;
      } catch {
        throw new CommandError(`What answers at ${url} is not a query API: its answer is not JSON.`, EXIT.failed);
      }
    },
    async stream(path, request, accept) {
      const response = await send('get', path, request, accept);
      if (response.body === null) throw new CommandError('The answer has no body.', EXIT.failed);
      return response.body;
    },
  };
}

async function refusal(response: Response): Promise<CommandError> {
  const told = readError(await response.text());
  const hint = response.status === 401 ? ' Give a key with --key or API_KEY.' : '';
  const id = told.request_id ? `, request ${told.request_id}` : '';
  // The message may quote what clients sent.
  return new CommandError(
    `${visible(`${told.message ?? response.statusText} [${told.code ?? response.status}${id}]`)}${hint}`,
    EXIT.failed,
    response.status,
  );
}

function readError(text: string): { code?: string; message?: string; request_id?: string } {
  try {
    return (JSON.parse(text) as { error?: ReturnType<typeof readError> }).error ?? {};
  } catch {
    return { message: text.slice(0, 200) };
  }
}

/**
 * Tells a 404 of an unknown route from one of an unknown id. Every query API has the routes that are called here, so what
 * answers is something else, most often the ingest API.
 */
async function expectQueryApi(response: Response, target: URL, url: string): Promise<void> {
  const { code, message = '' } = readError(await response.text());
  if (code === 'not_found' && !message.startsWith(`There is no ${target.pathname};`)) return;
  const title = await titleOf(url);
  const what = title === null ? 'is not a query API' : `is the ${visible(title)}, not a query API of this version`;
  throw new CommandError(
    `What answers at ${url} ${what}. Give the query API with --url or QUERY_URL; it listens on QUERY_PORT, usually 8081.`,
    EXIT.usage,
    response.status,
  );
}

/** The title of a daemon's API; null when it has none. */
async function titleOf(url: string): Promise<string | null> {
  try {
    const answer = await fetch(`${url}/docs/json`, { signal: AbortSignal.timeout(2_000) });
    const { info } = (await answer.json()) as { info?: { title?: string } };
    return info?.title ?? null;
  } catch {
    return null;
  }
}

function reasonOf(error: unknown, { port }: URL): string {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause;
  // Browsers, and so fetch, never speak HTTP to the ports of some other protocols.
  if (cause?.message === 'bad port') return `port ${port} is reserved for another protocol`;
  return visible(cause?.code ?? cause?.message ?? String(error));
}
