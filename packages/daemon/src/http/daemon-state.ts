import { hostname } from 'node:os';
import { VERSION } from '@sluice/errors/version';
import type { Logger } from '../log/logger.ts';
import { poll } from '../retry/poll.ts';
import { waitAtMost } from '../retry/with-timeout.ts';
import type { Service } from '../service.ts';
import { type Checked, type HealthCheck, overall, reasonOf, runChecks } from './health.ts';
import { createReadinessLog } from './readiness-log.ts';

/** What a daemon publishes of itself, so that operators see all daemons at one place. Times are ISO 8601 UTC. */
export interface DaemonState {
  readonly daemon: string;
  /** Unique over all running daemons. */
  readonly instance: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly started_at: string;
  readonly reported_at: string;
  readonly status: 'healthy' | 'degraded' | 'unhealthy';
  /** What `/ready` answers. */
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, CheckState>>;
  /** Only while an operator has to act before anything more is stored. */
  readonly stalled?: Stall;
}

export interface CheckState {
  readonly status: 'ok' | 'failed';
  /** Why it failed, and what to do. */
  readonly message?: string;
  /** Since when it has this status, as far as this process knows. */
  readonly since: string;
}

export interface Stall {
  readonly since: string;
  /** SQLSTATE, or another code of the failure. */
  readonly code: string;
  readonly message: string;
  /** Entries of the batch that cannot be stored. */
  readonly entries: number;
}

/** How often the checks are run for it, in milliseconds: a change is published that much later at most. */
const CHECK_MS = 2_000;

/** How often an unchanged state is published, in milliseconds. */
const PUBLISH_MS = 5_000;

/** How long the last report and withdrawing the state may delay the stop, in milliseconds. */
const WITHDRAW_MS = 500;

/** Reports that run. */
export interface StateReports extends Service {
  /** From here on the log says when the daemon becomes ready, and when it is not ready any more. */
  announce(): void;
}

/**
 * Publishes a daemon's state every 5 s and after each change, until it stops and withdraws it.
 *
 * @param options.name makes the instance unique beside others of this daemon; host and process when left out
 * @param options.stalled what the daemon is stalled by now, if it can be
 */
export function startStateReports(options: {
  daemon: string;
  name?: string;
  checks: readonly HealthCheck[];
  stalled?: () => Stall | null;
  publish: (state: DaemonState) => Promise<void>;
  withdraw: (instance: string) => Promise<void>;
  logger: Logger;
}): StateReports {
  const startedAt = new Date().toISOString();
  const instance = `${options.daemon}:${options.name ?? `${hostname()}:${process.pid}`}`;
  const readiness = createReadinessLog(options.logger);
  let known: DaemonState['checks'] = {};
  let published: { readonly what: string; readonly at: number } | null = null;

  async function report(): Promise<void> {
    const results = await runChecks(options.checks);
    readiness.saw(results);
    const reportedAt = new Date().toISOString();
    known = Object.fromEntries(
      results.map((checked) => [checked.check.name, checkState(checked, known[checked.check.name], reportedAt)]),
    );
    const stalled = options.stalled?.() ?? null;
    const status = overall(results);
    const what = JSON.stringify([known, stalled]);
    const isDue = published === null || performance.now() - published.at >= PUBLISH_MS;
    if (published?.what === what && !isDue) return;
    await options.publish({
      daemon: options.daemon,
      instance,
      host: hostname(),
      pid: process.pid,
      version: VERSION,
      started_at: startedAt,
      reported_at: reportedAt,
      status,
      ready: status !== 'unhealthy',
      checks: known,
      ...(stalled === null ? {} : { stalled }),
    });
    published = { what, at: performance.now() };
  }

  const reports = poll({
    everyMs: CHECK_MS,
    turn: report,
    // The check `redis` and the log say by themselves that Redis is away or refuses.
    onFailing: (error) => options.logger.debug({ error }, 'state not published'),
  });
  void reports.now();
  return {
    announce: () => readiness.begin(),
    async stop() {
      const withdrawn = reports.stop().then(() => options.withdraw(instance));
      // A server that is away forgets the state by itself; one that hangs also keeps the last report from ending.
      await waitAtMost(
        WITHDRAW_MS,
        withdrawn.catch(() => {}),
      );
    },
  };
}

function checkState({ result }: Checked, before: CheckState | undefined, now: string): CheckState {
  const status = result.ok ? 'ok' : 'failed';
  const message = result.ok ? null : reasonOf(result);
  return {
    status,
    ...(message === null ? {} : { message }),
    since: before?.status === status ? before.since : now,
  };
}
