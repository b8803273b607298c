import { connect } from 'node:net';

const ANSWERS_WITHIN_MS = 2_000;

/**
 * Asks the Redis on a port of 127.0.0.1 for a PONG and then for its own process id. Rejects without an answer, while
 * Redis is still loading its data, and when it is not a Redis with this password. Three commands do not need a client
 * library.
 */
export function pingRedis(port: number, password: string): Promise<{ processId: number }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    let answer = '';
    socket.setTimeout(ANSWERS_WITHIN_MS, () => fail(new Error('no answer')));
    socket.once('error', fail);
    socket.once('close', () => fail(new Error('connection closed')));
    socket.once('connect', () => socket.write(`AUTH ${password}\r\nPING\r\nINFO server\r\n`));
    socket.on('data', (chunk) => {
      answer += chunk.toString();
      const start = '+OK\r\n+PONG\r\n';
      if (!start.startsWith(answer.slice(0, start.length)))
        return fail(new Error(answer.split('\r\n').find((line) => line.startsWith('-')) ?? 'not a Redis'));
      const processId = /^process_id:(\d+)\r$/m.exec(answer)?.[1];
      if (!processId) return;
      socket.destroy();
      resolve({ processId: Number(processId) });
    });
  });
}
