import { Gauge } from 'prom-client';
import type { Metrics } from './metrics.ts';

/** How busy a pool of connections is now. */
export interface PoolUse {
  /** Connections that are in use or being made. */
  readonly used: number;
  readonly idle: number;
  /** Callers that wait for a connection. */
  readonly waiting: number;
  /** Most connections that the pool may have. */
  readonly max: number;
}

/** Measures the pools of a daemon. */
export interface PoolMetrics {
  /** Starts to measure a pool under this name; for `watchPool` of `openDatabase`. */
  watch(name: string): (use: () => PoolUse) => void;
}

/** Defines the metrics of connections to Postgres. They are read at each scrape. */
export function createPoolMetrics(registry: Metrics): PoolMetrics {
  const pools = new Map<string, () => PoolUse>();
  const registers = [registry];
  new Gauge({
    name: 'sluice_db_pool_connections',
    help: 'Connections to Postgres: used, which includes those being made, and idle.',
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      for (const [pool, use] of pools) {
        const { used, idle } = use();
        this.set({ pool, state: 'used' }, used);
        this.set({ pool, state: 'idle' }, idle);
      }
    },
  });
  new Gauge({
    name: 'sluice_db_pool_max_connections',
    help: 'Most connections to Postgres that the pool may have.',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const [pool, use] of pools) this.set({ pool }, use().max);
    },
  });
  new Gauge({
    name: 'sluice_db_pool_waiting',
    help: 'Callers that wait for a connection to Postgres.',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const [pool, use] of pools) this.set({ pool }, use().waiting);
    },
  });
  return {
    watch: (name) => (use) => {
      pools.set(name, use);
    },
  };
}
