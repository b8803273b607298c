import { Gauge } from 'prom-client';
import type { Metrics } from '../telemetry/metrics.ts';

/**
 * Shows how much memory requests hold: bodies in flight, or answers that are not read yet.
 *
 * @param held bytes now
 * @param limit bytes from which on requests are refused with `overloaded`
 */
export function addHeldBytesMetrics(registry: Metrics, held: () => number, limit: number): void {
  const registers = [registry];
  new Gauge({
    name: 'sluice_held_bytes',
    help: 'Bytes of bodies in flight (ingest-api) or of unread answers (query-api) in memory.',
    registers,
    collect() {
      this.set(held());
    },
  });
  new Gauge({
    name: 'sluice_held_max_bytes',
    help: 'Most bytes that they may have together.',
    registers,
  }).set(limit);
}
