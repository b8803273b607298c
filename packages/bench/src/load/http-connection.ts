import { once } from 'node:events';
import { connect } from 'node:net';

/** The part of an answer that is read. */
export interface HttpAnswer {
  readonly status: number;
  /** Seconds, from Retry-After; null without one. */
  readonly retryAfter: number | null;
  /** Empty for a 202. */
  readonly body: string;
}

/** One keep-alive connection, with one request on it at a time. */
export interface HttpConnection {
  /** Whether the other side has closed it; the caller must then open another. */
  readonly closed: boolean;
  /** Rejects when the connection is closed before the answer is whole. */
  send(request: Buffer): Promise<HttpAnswer>;
  close(): void;
}

/**
 * Opens a connection that writes prepared requests and reads only the needed part of each answer. `node:http` needs
 * about 50 µs a request, which would make the generator, not the server, the limit of single-event requests.
 */
export async function openHttpConnection(url: string): Promise<HttpConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  let received = '';
  let waiting: PromiseWithResolvers<HttpAnswer> | null = null;
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    received += chunk;
    const answer = parseAnswer(received);
    if (answer === null) return;
    received = '';
    waiting?.resolve(answer);
    waiting = null;
  });
  socket.on('error', () => {});
  socket.on('close', () => waiting?.reject(new Error(`the connection was closed before an answer came from ${url}`)));
  return {
    get closed() {
      return socket.readableEnded || socket.destroyed;
    },
    send(request) {
      waiting = Promise.withResolvers();
      socket.write(request);
      return waiting.promise;
    },
    close: () => socket.destroy(),
  };
}

/** Null while the answer is not whole. */
function parseAnswer(text: string): HttpAnswer | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = text.slice(0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error('the load generator only reads answers with a Content-Length');
  if (text.length < end + 4 + Number(length)) return null;
  const status = Number(text.slice(9, 12));
  if (status === 202) return { status, retryAfter: null, body: '' };
  const retryAfter = /\r\nretry-after: *(\d+)/i.exec(head)?.[1];
  return { status, retryAfter: retryAfter === undefined ? null : Number(retryAfter), body: text.slice(end + 4) };
}
