/**
 * One Ctrl-C arrives several times: the terminal sends it to us, to pnpm and to its shell, and pnpm passes it on.
 * Only a signal this long after the first one is a second Ctrl-C.
 */
const ONE_CTRL_C_MS = 1_000;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface StopSignalOptions {
  /** Called once, at the first signal. */
  stop: () => void;
  /** Called at each signal that arrives more than a second after the first. */
  force: () => void;
  /** Milliseconds of a monotonic clock. */
  now?: () => number;
}

/** Listens for Ctrl-C, SIGTERM and the closing of the terminal, until the answered function is called. */
export function onStopSignals({ stop, force, now = () => performance.now() }: StopSignalOptions): () => void {
  let firstAt: number | undefined;
  const onSignal = () => {
    if (firstAt === undefined) {
      firstAt = now();
      stop();
    } else if (now() - firstAt > ONE_CTRL_C_MS) force();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}
