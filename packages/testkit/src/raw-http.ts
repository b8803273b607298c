import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** The answers on one connection, as they were received. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** A connection to a server, for requests that no HTTP client would send. */
export async function openConnection(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Writes bytes to a connection and reads the next answer, which must have a Content-Length. */
export async function exchange(socket: Socket, bytes: string | Buffer): Promise<RawAnswer> {
  let received = '';
  const answer = new Promise<RawAnswer>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      const parsed = parseAnswer(received);
      if (parsed !== null) resolve(parsed);
    });
    socket.once('close', () => reject(new Error(`the connection was closed after ${JSON.stringify(received)}`)));
  });
  if (bytes.length > 0) socket.write(bytes);
  try {
    return await answer;
  } finally {
    socket.removeAllListeners('data');
  }
}

/** Sends bytes on a new connection and reads the answer. */
export async function sendRaw(url: string, bytes: string | Buffer): Promise<RawAnswer> {
  const socket = await openConnection(url);
  try {
    return await exchange(socket, bytes);
  } finally {
    socket.destroy();
  }
}

function parseAnswer(text: string): RawAnswer | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = new Headers(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
  const length = Number(headers.get('content-length') ?? 0);
  const body = text.slice(end + 4);
  if (body.length < length) return null;
  return { status: Number(statusLine.split(' ')[1]), headers, body: body.slice(0, length) };
}
