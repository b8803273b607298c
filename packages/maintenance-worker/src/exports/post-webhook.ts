import { createHmac } from 'node:crypto';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { VERSION } from '@sluice/errors/version';
import { publicLookup, refusePrivateHost } from '@sluice/exports/public-address';

/** The receiver of notices, and the secret that signs them. */
export interface WebhookTarget {
  readonly url: string;
  readonly secret: string;
  /** Whether it may lie in a private network. */
  readonly allowPrivate: boolean;
  /** Connecting, sending and answering together, in milliseconds. */
  readonly timeoutMs: number;
  /** Resolves names; `publicLookup()` unless private addresses are allowed. Tests bring their own. */
  readonly lookup?: LookupFunction;
}

/** One notice. */
export interface Delivery {
  /** The same for every attempt, so that a receiver can tell a second copy. */
  readonly id: string;
  /** e.g. `export.succeeded`. */
  readonly event: string;
  readonly body: string;
  /** W3C trace context of the export; not sent. */
  readonly traceparent?: string | null;
}

/** Most bytes of an answer that are read: only its status matters. */
const MAX_ANSWER_BYTES = 16 * 1024;

/**
 * Signs a notice: `t=<Unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`. The time is signed with the body, so a receiver
 * that refuses old times and known delivery ids can't be fooled by a recorded notice.
 */
function signatureOf(secret: string, body: string, seconds: number): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

/**
 * Sends one notice, once. Redirects are not followed: they could lead to where the URL itself may not.
 *
 * @throws when it was not answered with a status from 200 to 299 in time, or its address is not allowed
 */
export async function postWebhook(target: WebhookTarget, delivery: Delivery): Promise<void> {
  const url = new URL(target.url);
  if (!target.allowPrivate) refusePrivateHost(url.hostname);
  const lookup = target.lookup ?? (target.allowPrivate ? undefined : publicLookup());
  const body = Buffer.from(delivery.body);
  const status = await new Promise<number>((resolve, reject) => {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
      method: 'POST',
      // A new connection: the address of one that was kept open was checked at another moment.
      agent: false,
      ...(lookup === undefined ? {} : { lookup }),
      signal: AbortSignal.timeout(target.timeoutMs),
      headers: {
        'content-type': 'application/json',
        'content-length': body.length,
        'user-agent': `Sluice/${VERSION}`,
        'x-sluice-event': delivery.event,
        'x-sluice-delivery': delivery.id,
        'x-sluice-signature': signatureOf(target.secret, delivery.body, Math.floor(Date.now() / 1000)),
      },
    });
    request.once('error', reject);
    request.once('response', (answer) => {
      let read = 0;
      answer.on('error', reject);
      answer.on('data', (chunk: Buffer) => {
        read += chunk.length;
        if (read <= MAX_ANSWER_BYTES) return;
        // Its status is known; a body without end must not keep the connection open.
        resolve(answer.statusCode ?? 0);
        request.destroy();
      });
      answer.once('close', () => resolve(answer.statusCode ?? 0));
    });
    request.end(body);
  });
  if (status >= 300 && status < 400) throw new Error(`it answered ${status}; redirects are not followed`);
  if (status < 200 || status >= 300) throw new Error(`it answered ${status}`);
}
