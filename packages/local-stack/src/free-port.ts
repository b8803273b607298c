import { createServer } from 'node:net';
import { portOwner } from './port-owner.ts';

/** Finds a free port of 127.0.0.1: `preferred` when it is free, else one that the system picks. */
export async function freePort(preferred = 0): Promise<number> {
  const port = await listenOnce(preferred, '127.0.0.1').catch(() => undefined);
  return port ?? (await listenOnce(0, '127.0.0.1'));
}

/**
 * Throws when a daemon could not listen on `port`. The error names the variable that moves it and, where it can be
 * found, the process that has it: `port 8080 (INGEST_PORT) is taken by node, pid 4711; set INGEST_PORT to another`.
 */
export async function assertPortFree({ port, variable }: { port: number; variable: string }): Promise<void> {
  // A listener may have just one of these addresses, and a daemon may want any of them.
  for (const host of ['127.0.0.1', '0.0.0.0', '::']) {
    try {
      await listenOnce(port, host);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL') continue;
      if (code === 'EACCES') {
        throw new Error(`port ${port} (${variable}) needs rights that you don't have; set ${variable} to another`, {
          cause: error,
        });
      }
      if (code !== 'EADDRINUSE') throw error;
      const owner = await portOwner(port);
      const by = owner ? ` by ${owner.name}, pid ${owner.pid}` : '';
      throw new Error(`port ${port} (${variable}) is taken${by}; set ${variable} to another`, {
        cause: error,
      });
    }
  }
}

function listenOnce(port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port));
    });
  });
}
