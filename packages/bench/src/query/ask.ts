import { Agent, request } from 'node:http';
import type { Client } from 'pg';
import { PAGE, type Question } from './questions.ts';
import { type SeedsFilter, seedsPage, seedsStatistics } from './seeds-schema.ts';

/** Asks the query API over one keep-alive connection, as a client in the same data centre would. */
export interface QueryClient {
  /** @returns the parsed answer; @throws on a status of 300 and above */
  ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Record<string, unknown>>;
  close(): void;
}

/** @param signal ends the connection, and with it a request in flight; later requests are not sent */
export function createQueryClient(url: string, signal: AbortSignal): QueryClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  signal.addEventListener('abort', () => agent.destroy(), { once: true });
  const { hostname, port } = new URL(url);
  return {
    ask: (method, path, body) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const text = body === undefined ? '' : JSON.stringify(body);
        // An API that runs open takes no POST without a media type, also when it has no body.
        const headers =
          method === 'GET' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
        const sent = request({ hostname, port, path, method, agent, headers }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const answer = Buffer.concat(chunks).toString();
            if ((response.statusCode ?? 500) >= 300)
              reject(new Error(`${method} ${path} was answered ${response.statusCode}: ${answer}`));
            else resolve(JSON.parse(answer) as Record<string, unknown>);
          });
        });
        sent.on('error', reject);
        sent.end(text);
      }),
    close: () => agent.destroy(),
  };
}

/** Measures how long Sluice needs to answer, HTTP included, in milliseconds. */
export async function timeSluice(client: QueryClient, question: Question): Promise<number> {
  const startedAt = performance.now();
  switch (question.kind) {
    case 'page':
      await client.ask('POST', '/api/events/query', { ...question.filter, limit: PAGE });
      break;
    case 'deep page':
      await client.ask('POST', '/api/events/query', { ...question.filter, cursor: question.cursor, limit: PAGE });
      break;
    case 'recent':
      await client.ask('GET', `/api/events/recent?limit=${PAGE}`);
      break;
    case 'statistics': {
      const { start, end, tenant, approximate } = question;
      const query = new URLSearchParams({ start_time: start });
      if (end !== null) query.set('end_time', end);
      if (tenant !== undefined) query.set('tenant', tenant);
      if (approximate === true) query.set('distinct', 'approximate');
      await client.ask('GET', `/api/events/statistics?${query.toString()}`);
      break;
    }
  }
  return performance.now() - startedAt;
}

/** Measures how long the peer's SQL needs, without HTTP and JSON: leaving these out favours the peer. */
export async function timePeer(db: Client, question: Question): Promise<number> {
  const startedAt = performance.now();
  switch (question.kind) {
    case 'page':
      await seedsPage(db, question.filter, 0, PAGE);
      break;
    case 'deep page':
      await seedsPage(db, question.filter, question.depth, PAGE);
      break;
    case 'recent':
      await seedsPage(db, {}, 0, PAGE);
      break;
    case 'statistics':
      await seedsStatistics(db, question.start, question.end ?? new Date().toISOString());
      break;
  }
  return performance.now() - startedAt;
}

/**
 * Follows a list by its cursors and notes one now and then, so that deep pages can be asked for directly.
 *
 * @returns cursors, each with the number of events before it
 */
export async function walkCursors(
  client: QueryClient,
  filter: SeedsFilter,
  steps: number,
  every: number,
): Promise<{ cursor: string; depth: number }[]> {
  const found: { cursor: string; depth: number }[] = [];
  let cursor: unknown;
  for (let step = 1; step <= steps; step += 1) {
    const answer = await client.ask('POST', '/api/events/query', {
      ...filter,
      limit: 1000,
      ...(typeof cursor === 'string' ? { cursor } : {}),
    });
    cursor = answer['next_cursor'];
    if (typeof cursor !== 'string') break;
    if (step % every === 0) found.push({ cursor, depth: step * 1000 });
  }
  return found;
}
