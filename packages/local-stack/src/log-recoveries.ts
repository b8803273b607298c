/**
 * Messages of the daemons' logs that report the end of a problem, each with the messages of that problem. They are at
 * info, so the terminal shows them only after the problem. docs/reference/log-lines.md has all messages.
 */
export const PROBLEMS_ENDED_BY: Readonly<Record<string, readonly string[]>> = {
  'spans reach the collector again': ['spans do not reach the collector; they are dropped and counted'],
  'Redis is back': ['Redis cannot be reached'],
  'queue has room again': ['queue is full: answering 429'],
  ready: ['not ready'],
  'API keys read from Redis again': [
    'API keys not read from Redis; using the last known set',
    'API keys not read from Redis; none is known yet',
  ],
  'API keys refreshed again': [
    'API keys not refreshed; using the last known set',
    'API keys not refreshed; none is known yet',
  ],
  'batches are enqueued again': ['batch not enqueued; answered 503'],
  'live tail poll works again': ['live tail poll failed'],
  'stored after retrying': ['storing failed; retrying'],
  'stored after a stall; consuming continues': [
    'STALLED: a batch cannot be stored and somebody has to act; nothing is lost, nothing more is fetched',
  ],
  'database is ready': ['database is not ready; retrying', 'database is not ready and somebody has to act; retrying'],
  'durability determined': ['Redis settings not read; claiming nothing'],
  'no scheduled job is stale any more': ['scheduled jobs are stale: no success for three of their ticks'],
};
