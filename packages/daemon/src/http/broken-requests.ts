import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { API_ERRORS, type ApiErrorCode } from '@sluice/errors/api-errors';

/** Connections on which a broken request waits for its answer: Node may report it again when the client hangs up. */
const refused = new WeakSet<Socket>();

/**
 * Answers what is not HTTP, on the socket itself, after the answers to the requests that came before it on the same
 * connection.
 *
 * @param onAnswer called with the code of the answer, unless the client is gone by then
 */
export function answerBrokenRequest(
  error: Error & { code?: string },
  socket: Socket,
  onAnswer: (code: ApiErrorCode) => void,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable || refused.has(socket)) return;
  refused.add(socket);
  // Node ends a connection when its client ends it, with the answers that are still due.
  socket.removeAllListeners('end');
  whenAnswered(socket, () => {
    if (!socket.writable) return;
    const code = codeOfBrokenRequest(error);
    onAnswer(code);
    refuseOnSocket(socket, code);
  });
}

/** Calls `then` once every whole request of a connection is answered. */
function whenAnswered(socket: Socket & { _httpMessage?: ServerResponse | null }, then: () => void): void {
  // Node has no other way to find the response that is due on a socket; its own handler of broken requests reads it too.
  // oxlint-disable-next-line no-underscore-dangle -- Node's own name
  const due = socket._httpMessage;
  if (!due) return then();
  if (due.req.complete) {
    // Node puts the next response on the socket before this one is closed.
    due.once('close', () => whenAnswered(socket, then));
  } else if (due.headersSent) {
    // The broken request has its answer: it was refused before its body was read.
    due.once('close', () => socket.end());
  } else then();
}

function codeOfBrokenRequest({ code }: Error & { code?: string }): ApiErrorCode {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large';
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'invalid_request';
}

function refuseOnSocket(socket: Socket, code: ApiErrorCode): void {
  const body = JSON.stringify(errorBody({ code, message: API_ERRORS[code].meaning }, randomUUID()));
  socket.end(
    `HTTP/1.1 ${API_ERRORS[code].status} Error\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** The one shape of every error. */
export function errorBody(error: { code: ApiErrorCode; message: string }, requestId: string): object {
  return { error: { code: error.code, message: error.message, request_id: requestId } };
}
