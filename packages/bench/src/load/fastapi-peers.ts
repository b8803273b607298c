import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@sluice/local-stack/free-port';
import { untilReady } from '@sluice/local-stack/until-ready';
import { installWithPip } from '@sluice/testkit/install-with-pip';
import { makeDatabase } from './make-database.ts';
import { makePeer, type Peer, PEERS, type PeerSurroundings, POOL_SIZE } from './peers.ts';

/** How it stores: with objects of a mapped class, as such services are usually written, or with plain rows. */
const STORES = { orm: 'ORM', core: 'Core' } as const;

/** One way to run the seeds' service. */
export interface FastapiVariant {
  readonly store: keyof typeof STORES;
  /** Processes of uvicorn; each has a pool of its own. */
  readonly processes: number;
}

/** All ways to run it. */
export const FASTAPI_VARIANTS: readonly FastapiVariant[] = [
  { store: 'orm', processes: 1 },
  { store: 'core', processes: 1 },
  { store: 'orm', processes: 2 },
  { store: 'core', processes: 2 },
];

/**
 * Installs FastAPI and all that it runs with, as peers/fastapi/requirements.txt pins them.
 *
 * @returns the Python that has them
 * @throws Error when there is no Python, or the package index cannot be reached
 */
export async function installFastapi({ path, report, signal }: PeerSurroundings): Promise<string> {
  const packages = { name: 'fastapi', python: '3.11', lockedIn: join(PEERS, 'fastapi'), env: { PATH: path } };
  const folder = await installWithPip({ ...packages, announce: report, signal });
  return join(folder, 'bin', 'python');
}

/** The seeds' service: FastAPI, SQLAlchemy and asyncpg, storing in the request; see peers/fastapi/app.py. */
export async function startFastapi(
  python: string,
  { store, processes }: FastapiVariant,
  around: PeerSurroundings,
): Promise<Peer> {
  const id = `fastapi_${store}_${processes}`;
  const databaseUrl = await makeDatabase(around.databaseUrl, `peer_${id}`, 'peer');
  const port = await freePort();
  const logFile = join(around.folder, `${id}.log`);
  const log = openSync(logFile, 'a');
  const child = spawn(python, [join(PEERS, 'fastapi/serve.py')], {
    env: {
      PATH: around.path,
      DATABASE_URL: databaseUrl.replace(/^postgres:/, 'postgresql+asyncpg:'),
      PORT: String(port),
      PROCESSES: String(processes),
      DB_POOL_SIZE: String(POOL_SIZE),
      STORE: store,
    },
    // It ends when its standard input closes, and so with this process.
    stdio: ['pipe', log, log],
    // Its own session, as for all others: Linux shares processors between sessions.
    detached: true,
  });
  closeSync(log);
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.stdin!.end();
    await exited;
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    const ended = exited.then(() => {
      throw new Error(`the FastAPI peer ended at its start:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`);
    });
    await Promise.race([untilReady('the FastAPI peer', url, around.signal), ended]);
  } catch (error) {
    await stop();
    throw error;
  }
  const name = `FastAPI + SQLAlchemy ${STORES[store]}${processes === 1 ? '' : `, ${processes} processes`}`;
  return makePeer({ name, url, databaseUrl, stop });
}
