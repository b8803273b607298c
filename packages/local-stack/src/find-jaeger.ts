/** A Jaeger that accepts spans and shows them. */
export interface Jaeger {
  /** For OTLP over HTTP. */
  readonly endpoint: string;
  /** Of its pages. */
  readonly ui: string;
}

const ANSWERS_WITHIN_MS = 1_000;
const UI_PORT = '16686';

/**
 * Looks for a Jaeger: one whose pages and whose collector both answer.
 *
 * @param endpoint where it would accept spans
 * @param ui of its pages; its usual port on the same host if not given
 */
export async function findJaeger(endpoint: string, ui = uiBeside(endpoint)): Promise<Jaeger | undefined> {
  const [pages, collector] = await Promise.all([
    answer(`${ui}/api/services`),
    answer(`${endpoint}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/x-protobuf' } }),
  ]);
  const isJaeger = pages?.ok === true && (pages.headers.get('content-type') ?? '').includes('json');
  return isJaeger && collector !== undefined ? { endpoint, ui } : undefined;
}

function uiBeside(endpoint: string): string {
  const url = new URL(endpoint);
  return `http://${url.hostname}:${UI_PORT}`;
}

async function answer(url: string, init: RequestInit = {}): Promise<Response | undefined> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWERS_WITHIN_MS) });
  } catch {
    return undefined;
  }
}
