import { Counter, Gauge, Histogram } from 'prom-client';
import { exemplar, type Metrics, setTo } from '@sluice/daemon/telemetry/metrics';
import { DEAD_LETTER_REASONS } from '@sluice/store/dead-letter-reasons';
import type { FailureClass } from '@sluice/store/write/failure-policy';
import type { KnownIds } from '@sluice/store/write/known-ids';
import type { Written } from '@sluice/store/write/write-events';
import type { Batch, BatchBuffer } from '../batch/batch-buffer.ts';
import type { Breaker } from '../batch/breaker.ts';
import type { Outcome } from '../batch/outcome.ts';
import type { Progress } from './progress.ts';
import type { WriterState } from './writer-state.ts';

/** From milliseconds to the length of an outage of Postgres. */
const TRANSACTION_SECONDS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** From milliseconds to a backlog of hours. */
const END_TO_END_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400];
const EVENTS = [1, 2, 5, 10, 25, 50, 100, 200, 300, 400, 500, 1_000, 2_500, 5_000];

const OUTCOMES: readonly Outcome['kind'][] = ['settled', 'unsettled', 'abandoned'];
const CLASSES: readonly FailureClass[] = ['transient', 'resource', 'row', 'operator'];

/** Makes the metrics `sluice_writer_*`. */
export function createWriterMetrics(registry: Metrics, watched: Watched): WriterMetrics {
  const registers = [registry];
  addGauges(registry, watched);
  const counter = <L extends string>(name: string, help: string, labelNames: L[] = []): Counter<L> =>
    new Counter({ name, help, labelNames, registers });
  const histogram = (name: string, help: string, buckets: number[]): Histogram =>
    new Histogram({ name, help, buckets, enableExemplars: true, registers });

  const transactions = counter('sluice_writer_transactions_total', 'Batches by their end.', ['outcome']);
  const deadLetters = counter('sluice_writer_dead_letters_total', 'New dead letters by reason.', ['reason']);
  const retries = counter('sluice_writer_retries_total', 'Tries that failed, by class of failure.', ['class']);
  const isolations = counter('sluice_writer_isolations_total', 'Batches whose bad events had to be found.');
  const reclaimed = counter('sluice_writer_reclaimed_entries_total', 'Entries taken over from other writers.');
  const takenBack = counter(
    'sluice_writer_taken_back_entries_total',
    'Entries taken back that were delivered and that no consumer held.',
  );
  const lost = counter('sluice_writer_lost_entries_total', 'Entries deleted before they were stored.');
  const streamsLost = counter(
    'sluice_writer_streams_lost_total',
    'Times that a stream was deleted or Redis was emptied; what was in it and not stored is lost.',
  );
  // Every series starts at 0: Prometheus sees no rise in a series that begins at 1.
  for (const outcome of OUTCOMES) transactions.inc({ outcome }, 0);
  for (const reason of Object.keys(DEAD_LETTER_REASONS)) deadLetters.inc({ reason }, 0);
  for (const kind of CLASSES) retries.inc({ class: kind }, 0);
  const duration = histogram(
    'sluice_writer_transaction_duration_seconds',
    'From taking up a batch to its COMMIT, retries included.',
    TRANSACTION_SECONDS,
  );
  const size = histogram('sluice_writer_transaction_events', 'Events in a transaction.', EVENTS);
  const endToEnd = histogram(
    'sluice_writer_end_to_end_seconds',
    'From the receipt of a request to the COMMIT of its entry.',
    END_TO_END_SECONDS,
  );

  return {
    committed(batch, written, seconds) {
      const exemplarLabels = exemplar() ?? {};
      duration.observe({ value: seconds, exemplarLabels });
      size.observe({ value: batch.eventCount, exemplarLabels });
      const now = Date.now();
      for (const { receivedAt } of batch.entries) {
        const receivedMs = receivedAt === null ? NaN : Date.parse(receivedAt);
        // The clocks of two machines may differ by more than the time measured.
        if (!Number.isNaN(receivedMs))
          endToEnd.observe({ value: Math.max(0, now - receivedMs) / 1000, exemplarLabels });
      }
      for (const { reason } of written.letters) deadLetters.inc({ reason });
    },
    ended: (outcome) => transactions.inc({ outcome }),
    failed: (kind) => retries.inc({ class: kind }),
    isolating: () => isolations.inc(),
    reclaimed: (entries) => reclaimed.inc(entries),
    takenBack: (entries) => takenBack.inc(entries),
    lost: (entries) => lost.inc(entries),
    streamLost: () => streamsLost.inc(),
  };
}

/** What the writer's metrics are notified of. Gauges read their values when they are scraped instead. */
export interface WriterMetrics {
  /** A transaction was committed, `seconds` after its batch was taken from the buffer. */
  committed(batch: Batch, written: Written, seconds: number): void;
  /** A batch ended. */
  ended(outcome: Outcome['kind']): void;
  /** A try of a transaction failed. */
  failed(kind: FailureClass): void;
  /** Isolation of the bad events of a batch begins. */
  isolating(): void;
  /** Entries of other writers were taken over. */
  reclaimed(entries: number): void;
  /** Entries that no consumer held were taken back. */
  takenBack(entries: number): void;
  /** Entries were deleted from the stream before they were stored. */
  lost(entries: number): void;
  /** A stream was deleted, with what was not stored. */
  streamLost(): void;
}

/** What the gauges read when they are scraped. */
interface Watched {
  readonly state: WriterState;
  readonly breaker: Breaker;
  readonly buffer: BatchBuffer;
  readonly progress: Progress;
  readonly known: Pick<KnownIds, 'bytes' | 'uncovered'>;
}

function addGauges(registry: Metrics, { state, breaker, buffer, progress, known }: Watched): void {
  const gauge = (name: string, help: string, look: () => number): void =>
    registry.registerMetric(
      new Gauge({
        name,
        help,
        registers: [],
        collect() {
          this.set(look());
        },
      }),
    );
  registry.registerMetric(
    new Counter({
      name: 'sluice_writer_events_total',
      help: 'Events of committed transactions, by outcome.',
      labelNames: ['outcome'],
      registers: [],
      collect() {
        setTo(this, { outcome: 'stored' }, state.storedEvents);
        setTo(this, { outcome: 'duplicate' }, state.duplicateEvents);
        setTo(this, { outcome: 'dead' }, state.deadLetters);
      },
    }),
  );
  gauge('sluice_writer_breaker_open', '1 while Postgres is away.', () => Number(breaker.isOpen));
  gauge('sluice_writer_stalled', '1 while a batch waits for an operator to act.', () => Number(state.stalled !== null));
  gauge(
    'sluice_writer_in_flight_transactions',
    'Batches in a transaction or being acknowledged.',
    () => state.inFlight,
  );
  gauge('sluice_writer_buffered_events', 'Events read and not yet in a transaction.', () => buffer.events);
  gauge('sluice_writer_id_filter_bytes', 'Memory of the filters of ids in older segments.', () => known.bytes);
  gauge(
    'sluice_writer_uncovered_segments',
    'Older segments without a filter yet: every id is looked up in them.',
    () => known.uncovered,
  );
  gauge(
    'sluice_writer_last_commit_timestamp_seconds',
    'When the last transaction was committed; 0 before the first.',
    () => (state.lastCommitAt ?? 0) / 1000,
  );
  gauge(
    'sluice_writer_idle_seconds',
    'Longest silence of one of the activities of the consumer. Reading an empty stream is no silence.',
    () => progress.standstill().ms / 1000,
  );
}
