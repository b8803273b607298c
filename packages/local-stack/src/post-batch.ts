import { Agent, request } from 'node:http';
import type { EventBatch } from './batch-events.ts';

/** The part of ingest's answer that the demo reads. */
interface IngestAnswer {
  status: number;
  /** Seconds, from Retry-After. */
  retryAfter: number | undefined;
  body: { accepted?: number; errors?: { index: number; code: string; message: string }[]; error?: { message: string } };
}

export interface BatchSender {
  /** Sends one batch. Rejects when the connection fails or nothing is answered in time. */
  post(batch: EventBatch): Promise<IngestAnswer>;
  close(): void;
}

const ANSWERS_WITHIN_MS = 30_000;

/** Sends batches to one ingest API over keep-alive connections. */
export function createBatchSender({ ingestUrl, connections, apiKey }: SenderOptions): BatchSender {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const { hostname, port } = new URL(ingestUrl);
  const options = { hostname, port, path: '/api/events', method: 'POST', agent, timeout: ANSWERS_WITHIN_MS };
  const key = apiKey ? { 'X-API-Key': apiKey } : {};
  const post = (batch: EventBatch) =>
    new Promise<IngestAnswer>((resolve, reject) => {
      const headers = {
        'Content-Type': 'application/json',
        'Content-Length': batch.body.length,
        'Idempotency-Key': batch.idempotencyKey,
        ...key,
      };
      const sent = request({ ...options, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const retryAfter = Number(response.headers['retry-after']);
          resolve({
            status: response.statusCode ?? 0,
            retryAfter: retryAfter > 0 ? retryAfter : undefined,
            body: parseAnswer(Buffer.concat(chunks)),
          });
        });
      });
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${ANSWERS_WITHIN_MS / 1000} s`)));
      sent.on('error', reject);
      sent.end(batch.body);
    });
  return { post, close: () => agent.destroy() };
}

export interface SenderOptions {
  ingestUrl: string;
  connections: number;
  apiKey: string | undefined;
}

function parseAnswer(body: Buffer): IngestAnswer['body'] {
  try {
    return JSON.parse(body.toString()) as IngestAnswer['body'];
  } catch {
    return {};
  }
}
