import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../figures.ts';
import { type BatchTemplate, requestTemplate, withFreshIds } from './batch-template.ts';
import { type HttpConnection, openHttpConnection } from './http-connection.ts';
import type { LoadAnswer, LoadMessage, LoadOrder, LoadResult } from './start-load.ts';

/**
 * Sends batches over several connections. Each connection sends its next batch when the last is answered. It is its own
 * process, so that it does not share an event loop; see start-load.ts.
 */

/** Makes about this many different events before the clock starts. */
const DIFFERENT_EVENTS = 20_000;

/** Resolves when the load may continue; replaced each time it is held. */
let mayGo = Promise.resolve();
let letGo = (): void => {};
let order: LoadOrder | undefined;
let templates: BatchTemplate[][] = [];

// The parent is gone, so the load is not needed any more.
process.on('disconnect', () => process.exit(0));
process.on('message', (message: LoadMessage) => {
  switch (message.type) {
    case 'prepare':
      order = message.order;
      templates = prepare(order);
      tell({ type: 'prepared' });
      break;
    case 'hold':
      letGo();
      if (message.held) ({ promise: mayGo, resolve: letGo } = Promise.withResolvers<void>());
      break;
    case 'go':
      void run(order!).then(
        (result) => tell({ type: 'done', result }),
        (error: Error) => tell({ type: 'failed', message: error.message }),
      );
      break;
  }
});

function tell(answer: LoadAnswer): void {
  process.send?.(answer);
}

function prepare({ url, connections, batch, events, times = 'utc' }: LoadOrder): BatchTemplate[][] {
  // A template is overwritten for its next use, so two connections must not share one.
  const each = Math.max(2, Math.ceil(Math.min(events ?? DIFFERENT_EVENTS, DIFFERENT_EVENTS) / (connections * batch)));
  return Array.from({ length: connections }, (_connection, at) =>
    Array.from({ length: each }, (_template, index) => requestTemplate(url, batch, (at * each + index) * batch, times)),
  );
}

async function run({ url, batch, events, seconds }: LoadOrder): Promise<LoadResult> {
  const open: HttpConnection[] = await Promise.all(templates.map(() => openHttpConnection(url)));
  const latencies: number[] = [];
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const endsAt = startedAt + (seconds ?? Number.POSITIVE_INFINITY) * 1000;
  const most = events ?? Number.POSITIVE_INFINITY;
  let sent = 0;
  let refused = 0;

  const serve = async (at: number): Promise<void> => {
    const own = templates[at]!;
    for (let turn = 0; ; turn += 1) {
      await mayGo;
      if (sent + batch > most || performance.now() >= endsAt) return;
      const bytes = withFreshIds(own[turn % own.length]!, sent);
      sent += batch;
      // While it was held the server may have closed the connection.
      if (open[at]!.closed) open[at] = await openHttpConnection(url);
      const sentAt = performance.now();
      let answer = await open[at]!.send(bytes);
      // As any client does: sends the same ids again, after Retry-After. The time counts from the first attempt.
      while (answer.retryAfter !== null) {
        refused += 1;
        await delay(answer.retryAfter * 1000);
        answer = await open[at]!.send(bytes);
      }
      latencies.push(performance.now() - sentAt);
      if (answer.status !== 202) throw new Error(`${url} answered ${answer.status}: ${answer.body.slice(0, 500)}`);
    }
  };
  try {
    await Promise.all(open.map((_connection, at) => serve(at)));
  } finally {
    for (const connection of open) connection.close();
  }
  const elapsedMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    acked: sent,
    requests: latencies.length,
    refused,
    elapsedMs,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    cpuShare: (user + system) / 1000 / elapsedMs,
  };
}
