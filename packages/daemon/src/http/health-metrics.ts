import { Gauge } from 'prom-client';
import type { Metrics } from '../telemetry/metrics.ts';
import { type HealthCheck, runChecks } from './health.ts';

/**
 * Defines the metric of the checks of `/health`. They run at each scrape, all at once and each within its time-out. A
 * dependency that is away or hangs is a 0; the scrape itself does not fail.
 */
export function addHealthMetrics(registry: Metrics, checks: readonly HealthCheck[]): void {
  new Gauge({
    name: 'sluice_dependency_up',
    help: '1 when the check of /health of that name passes, else 0.',
    labelNames: ['dependency'],
    registers: [registry],
    async collect() {
      for (const { check, result } of await runChecks(checks)) {
        this.set({ dependency: check.name }, result.ok ? 1 : 0);
      }
    },
  });
}
