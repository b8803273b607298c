import { Counter, Histogram } from 'prom-client';
import { exemplar, type Metrics } from '@sluice/daemon/telemetry/metrics';

/** How a run, an export or a replay can end. */
const STATES = ['succeeded', 'failed', 'cancelled'] as const;

export type EndState = (typeof STATES)[number];

/** From ten milliseconds to half a day: most jobs only check whether there is work, some read everything. */
const SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 43_200];

/** Metrics of the maintenance worker's own work. */
export interface MaintenanceMetrics {
  /** Call it in the run's span, which becomes the exemplar of its duration. */
  runEnded(run: { job: string; state: EndState; seconds: number; rows: number }): void;
  /**
   * Call it in the run's span too, but not for an attempt that will be retried. Rows and bytes are of published files.
   */
  exportEnded(run: { state: EndState; seconds: number; rows?: number; bytes?: number }): void;
  replayEnded(state: EndState): void;
  lettersReplayed(letters: number): void;
  /** Counts one attempt. */
  webhookTried(outcome: 'delivered' | 'failed'): void;
}

/**
 * Adds the metrics of this worker's work. No worker counts a run whose worker died; its job becomes stale.
 *
 * @param jobs names of all jobs: their counters begin at 0, otherwise the first failure would not be an increase
 */
export function createMaintenanceMetrics(registry: Metrics, jobs: readonly string[]): MaintenanceMetrics {
  const registers = [registry];
  const runs = new Counter({
    name: 'sluice_job_runs_total',
    help: 'Runs of jobs that ended in this worker.',
    labelNames: ['job', 'state'],
    registers,
  });
  const runSeconds = new Histogram({
    name: 'sluice_job_run_duration_seconds',
    help: 'How long runs of jobs took.',
    labelNames: ['job'],
    buckets: SECONDS,
    enableExemplars: true,
    registers,
  });
  const runRows = new Counter({
    name: 'sluice_job_rows_total',
    help: 'Rows that runs of jobs worked on; the description of the job says what a row is.',
    labelNames: ['job'],
    registers,
  });
  const exports = new Counter({
    name: 'sluice_export_runs_total',
    help: 'Runs of exports that ended in this worker, without those that were cancelled before they began.',
    labelNames: ['state'],
    registers,
  });
  const exportSeconds = new Histogram({
    name: 'sluice_export_run_duration_seconds',
    help: 'How long the last attempts of export runs took.',
    buckets: SECONDS,
    enableExemplars: true,
    registers,
  });
  const exportRows = new Counter({
    name: 'sluice_export_rows_total',
    help: 'Rows in published files.',
    registers,
  });
  const exportBytes = new Counter({
    name: 'sluice_export_bytes_total',
    help: 'Bytes of published files.',
    registers,
  });
  const replays = new Counter({
    name: 'sluice_replays_total',
    help: 'Replays that ended in this worker, without those that were cancelled before they began.',
    labelNames: ['state'],
    registers,
  });
  const letters = new Counter({
    name: 'sluice_replayed_letters_total',
    help: 'Dead letters that were put back on the stream.',
    registers,
  });
  const webhooks = new Counter({
    name: 'sluice_webhook_deliveries_total',
    help: 'Attempts to notify a webhook of an export.',
    labelNames: ['outcome'],
    registers,
  });
  for (const state of STATES) {
    for (const job of jobs) runs.inc({ job, state }, 0);
    exports.inc({ state }, 0);
    replays.inc({ state }, 0);
  }
  for (const job of jobs) runRows.inc({ job }, 0);
  for (const outcome of ['delivered', 'failed']) webhooks.inc({ outcome }, 0);

  return {
    runEnded({ job, state, seconds, rows }) {
      runs.inc({ job, state });
      runRows.inc({ job }, rows);
      runSeconds.observe({ labels: { job }, value: seconds, ...exemplarLabels() });
    },
    exportEnded({ state, seconds, rows = 0, bytes = 0 }) {
      exports.inc({ state });
      exportRows.inc(rows);
      exportBytes.inc(bytes);
      exportSeconds.observe({ labels: {}, value: seconds, ...exemplarLabels() });
    },
    replayEnded: (state) => replays.inc({ state }),
    lettersReplayed: (count) => letters.inc(count),
    webhookTried: (outcome) => webhooks.inc({ outcome }),
  };
}

function exemplarLabels(): { exemplarLabels?: Record<string, string> } {
  const labels = exemplar();
  return labels === undefined ? {} : { exemplarLabels: labels };
}
