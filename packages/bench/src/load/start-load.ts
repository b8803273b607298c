import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Times } from './batch-template.ts';

/** What the generator should send; it ends at `events` or after `seconds`, whichever comes first. */
export interface LoadOrder {
  /** Where batches are posted to. */
  readonly url: string;
  readonly connections: number;
  /** Events of one request. */
  readonly batch: number;
  readonly events: number | null;
  readonly seconds: number | null;
  /** How times are written; `utc` if not set. */
  readonly times?: Times;
}

/** The result. Any answer but a 202, or one with a Retry-After, fails the load. */
export interface LoadResult {
  /** Events that were acknowledged. */
  readonly acked: number;
  readonly requests: number;
  /** Answers with a Retry-After, after which the batch was sent again. */
  readonly refused: number;
  /** From the first request to the last answer. */
  readonly elapsedMs: number;
  /** Of the answers, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** The share of one core that the generator used; near 1 the generator was the limit. */
  readonly cpuShare: number;
}

export type LoadMessage =
  | { readonly type: 'prepare'; readonly order: LoadOrder }
  | { readonly type: 'go' }
  | { readonly type: 'hold'; readonly held: boolean };

export type LoadAnswer =
  | { readonly type: 'prepared' }
  | { readonly type: 'done'; readonly result: LoadResult }
  | { readonly type: 'failed'; readonly message: string };

/** A load that is ready to start. */
export interface Load {
  /** Starts it; resolves when it is over. Rejects when a request was refused or got no answer. */
  go(): Promise<LoadResult>;
  /** Holds further requests back, or lets them continue. */
  hold(held: boolean): void;
}

/** Starts the generator, which makes its batches; it sends nothing before `go`. */
export async function startLoad(order: LoadOrder, signal: AbortSignal): Promise<Load> {
  const child = fork(fileURLToPath(new URL('generator.ts', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  const tell = (message: LoadMessage): void => {
    if (child.connected) child.send(message);
  };
  const result = Promise.withResolvers<LoadResult>();
  // The caller of `go` gets the rejection; before that it must not end the process.
  result.promise.catch(() => {});
  child.on('message', (answer: LoadAnswer) => {
    if (answer.type === 'done') result.resolve(answer.result);
    if (answer.type === 'failed') result.reject(new Error(answer.message));
    // It ends with the channel.
    if (answer.type !== 'prepared') child.disconnect();
  });
  child.once('exit', (code) => {
    signal.removeEventListener('abort', stop);
    result.reject(new Error(`the load generator ended early (${code ?? 'killed'})`));
  });
  tell({ type: 'prepare', order });
  await Promise.race([once(child, 'message'), result.promise]);
  let held = false;
  return {
    go() {
      tell({ type: 'go' });
      return result.promise;
    },
    hold(wanted) {
      if (wanted === held) return;
      held = wanted;
      tell({ type: 'hold', held });
    },
  };
}

/** Prepares a load and runs it to its end. */
export async function runLoad(order: LoadOrder, signal: AbortSignal): Promise<LoadResult> {
  const load = await startLoad(order, signal);
  return load.go();
}
