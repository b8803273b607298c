import type { Surroundings } from '../with-servers.ts';
import { FASTAPI_VARIANTS, installFastapi, startFastapi } from './fastapi-peers.ts';
import { installGraphile, startGraphile } from './graphile-peer.ts';
import { installOrLeaveOut } from './install-or-leave-out.ts';
import { type Peer, startBullmq, startDirectInsert } from './peers.ts';

/** The peers that can run here. */
export interface Peers {
  readonly direct: Peer;
  readonly bullmq: Peer;
  /** One; none where its packages cannot be installed. */
  readonly graphile: readonly Peer[];
  /** In the order of FASTAPI_VARIANTS; none where its packages cannot be installed. */
  readonly fastapi: readonly Peer[];
  /** Notes for the reader of the figures: why a peer is left out. */
  readonly notes: readonly string[];
}

/** Starts all peers, each with its own database; they are stopped with the servers. */
export async function startPeers({ around, running }: Surroundings): Promise<Peers> {
  const notes: string[] = [];
  const start = async (starting: Promise<Peer>): Promise<Peer> => {
    const peer = await starting;
    running.defer(() => peer.stop());
    return peer;
  };
  const to = { notes, signal: around.signal };
  const packages = await installOrLeaveOut('the peer with graphile-worker', installGraphile(around), to);
  const python = await installOrLeaveOut('the peers with FastAPI', installFastapi(around), to);
  const fastapi: Peer[] = [];
  for (const variant of python === null ? [] : FASTAPI_VARIANTS)
    fastapi.push(await start(startFastapi(python!, variant, around)));
  return {
    direct: await start(startDirectInsert(around)),
    bullmq: await start(startBullmq(around)),
    graphile: packages === null ? [] : [await start(startGraphile(packages, around))],
    fastapi,
    notes,
  };
}
