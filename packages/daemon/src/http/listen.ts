import type { FastifyInstance } from 'fastify';
import type { Service } from '../service.ts';

/** A server that listens. */
export interface ListeningServer extends Service {
  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
}

/**
 * Makes a server listen. Its stop answers the requests that have arrived. After `patienceMs` it cuts connections that
 * still send a request or read an answer.
 */
export async function listen(
  server: FastifyInstance,
  { host, port, patienceMs }: { host: string; port: number; patienceMs: number },
): Promise<ListeningServer> {
  const url = await server.listen({ host, port });
  const close = async (): Promise<void> => {
    const patience = setTimeout(() => server.server.closeAllConnections(), patienceMs);
    await server.close();
    clearTimeout(patience);
  };
  let closed: Promise<void> | null = null;
  return {
    url,
    stop() {
      closed ??= close();
      return closed;
    },
  };
}
