import type { Logger } from '../log/logger.ts';
import { type Checked, failedCritical, reasonsOf } from './health.ts';

/** How long a daemon may be not ready before the log says so, in milliseconds: at a start a dependency may be later. */
const PATIENCE_MS = 4_000;

/** Logs when a daemon becomes ready or stops being ready, once for each change. */
export interface ReadinessLog {
  /** Takes the newest results of all checks. */
  saw(results: readonly Checked[]): void;
  /** From here on changes are logged, and first the state of now: a daemon that does not listen yet is not ready. */
  begin(): void;
}

export function createReadinessLog(logger: Logger): ReadinessLog {
  let begun = false;
  let newest: readonly Checked[] | null = null;
  /** Since when it is not ready, by `performance.now()`. */
  let since: number | null = null;
  /** What the last line said. */
  let said: 'ready' | 'not ready' | null = null;

  function note(): void {
    if (newest === null || !begun) return;
    const failed = failedCritical(newest);
    if (failed.length === 0) {
      since = null;
      if (said !== 'ready') logger.info('ready');
      said = 'ready';
      return;
    }
    since ??= performance.now();
    if (said === 'not ready' || performance.now() - since < PATIENCE_MS) return;
    logger.warn({ reasons: reasonsOf(failed) }, 'not ready');
    said = 'not ready';
  }

  return {
    saw(results) {
      newest = results;
      note();
    },
    begin() {
      begun = true;
      note();
    },
  };
}
