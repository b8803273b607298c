import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Which reply is cut: the reply to a request that matches, or a reply that matches. Matched as latin1 text. */
export interface ReplyCut {
  readonly afterRequest?: RegExp;
  readonly inReply?: RegExp;
}

/** A connection between two programs that can be made slow, cut, or lost. */
export interface TcpProxy {
  readonly port: number;
  /** The same URL by way of this proxy. */
  through(url: string): string;
  /** Delays both directions from now on; the order stays the same. */
  slowDown(ms: number): void;
  /**
   * Closes the connection instead of passing a matching reply on, `times` times. The server has then done its work,
   * and the client cannot know. Resolves when it has happened that often.
   */
  cutReplies(which: ReplyCut, times: number): Promise<void>;
  /**
   * Loses all present connections without telling either side: no byte and no FIN gets through any more, as if
   * a peer or a firewall between had lost power. New connections work.
   *
   * @returns how many there were
   */
  loseConnections(): number;
  close(): Promise<void>;
}

interface Wire {
  readonly client: Socket;
  readonly server: Socket;
  lost: boolean;
  /** A request was seen whose reply is to be cut. */
  armed: boolean;
}

/** Listens on a free port of 127.0.0.1 and forwards everything to another port. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const wires = new Set<Wire>();
  let delayMs = 0;
  let cut: (ReplyCut & { left: number; done: () => void }) | undefined;

  const pump = (wire: Wire, from: Socket, to: Socket, onChunk: (text: string) => 'pass' | 'cut'): void => {
    let order = Promise.resolve();
    from.on('data', (chunk: Buffer) => {
      if (wire.lost) return;
      if (cut !== undefined && onChunk(chunk.toString('latin1')) === 'cut') {
        end(wire);
        return;
      }
      const wait = delayMs === 0 ? undefined : delay(delayMs);
      order = order
        .then(() => wait)
        .then(() => {
          if (!wire.lost && to.writable) to.write(chunk);
        });
    });
    from.on('error', () => {});
    from.on('close', () => {
      // A lost connection passes nothing on, not even the end of the other side.
      if (!wire.lost) end(wire);
    });
  };
  const end = (wire: Wire): void => {
    wire.client.destroy();
    wire.server.destroy();
    wires.delete(wire);
  };

  const listener = createServer((client) => {
    const server = connect(targetPort, '127.0.0.1');
    const wire: Wire = { client, server, lost: false, armed: false };
    wires.add(wire);
    pump(wire, client, server, (text) => {
      if (cut?.afterRequest?.test(text)) wire.armed = true;
      return 'pass';
    });
    pump(wire, server, client, (text) => {
      if (cut === undefined || (!wire.armed && !cut.inReply?.test(text))) return 'pass';
      cut.left -= 1;
      if (cut.left === 0) {
        cut.done();
        cut = undefined;
      }
      return 'cut';
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;

  return {
    port,
    through(url) {
      const changed = new URL(url);
      changed.host = `127.0.0.1:${port}`;
      return changed.href;
    },
    slowDown(ms) {
      delayMs = ms;
    },
    cutReplies(which, times) {
      const { promise, resolve } = Promise.withResolvers<void>();
      cut = { ...which, left: times, done: resolve };
      return promise;
    },
    loseConnections() {
      const alive = [...wires].filter((wire) => !wire.lost);
      for (const wire of alive) wire.lost = true;
      return alive.length;
    },
    async close() {
      for (const wire of wires) end(wire);
      listener.close();
      await once(listener, 'close');
    },
  };
}
