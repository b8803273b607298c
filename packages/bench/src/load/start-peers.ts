import type { Surroundings } from '../with-servers.ts';
import { fastapiMissing, type Peer, startBullmq, startDirectInsert, startFastapi } from './peers.ts';

/** The peers that can run here. */
export interface Peers {
  readonly direct: Peer;
  readonly bullmq: Peer;
  /** The slower way of writing it first; none where its packages are missing. */
  readonly fastapi: readonly Peer[];
  /** Notes for the reader of the figures: why a peer is left out. */
  readonly notes: readonly string[];
}

/** Starts all peers, each with its own database; they are stopped with the servers. */
export async function startPeers({ around, running }: Surroundings): Promise<Peers> {
  const start = async (starting: Promise<Peer>): Promise<Peer> => {
    const peer = await starting;
    running.defer(() => peer.stop());
    return peer;
  };
  const missing = await fastapiMissing();
  return {
    direct: await start(startDirectInsert(around)),
    bullmq: await start(startBullmq(around)),
    fastapi:
      missing === null
        ? [await start(startFastapi('database', around)), await start(startFastapi('core', around))]
        : [],
    notes: missing === null ? [] : [missing],
  };
}
