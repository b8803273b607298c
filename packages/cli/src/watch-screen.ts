/** A screen of the terminal that is drawn again and again, and that leaves what was on the terminal as it was. */
export interface WatchScreen {
  /** Draws the lines from the top; what does not fit is cut. */
  draw(text: string): void;
  /** Restores the terminal. */
  close(): void;
}

// Alternate screen, no cursor, no wrapping: a long line is cut at the right.
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_REST_OF_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/**
 * Opens the alternate screen. Ctrl-C and SIGTERM restore the terminal, then end the process as a shell expects.
 *
 * @param terminal standard output
 */
export function openWatchScreen(terminal: NodeJS.WriteStream): WatchScreen {
  const close = (): void => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, onSignal);
    terminal.write(LEAVE);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    close();
    process.kill(process.pid, signal);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  terminal.write(ENTER);
  return {
    draw(text) {
      // A terminal that does not know its size has 0 rows.
      const lines = text.split('\n').slice(0, terminal.rows > 1 ? terminal.rows - 1 : undefined);
      // Overwritten, not cleared first: clearing flickers, most of all over ssh.
      terminal.write(`${HOME}${lines.map((line) => `${line}${CLEAR_REST_OF_LINE}\r\n`).join('')}${CLEAR_BELOW}`);
    },
    close,
  };
}
