import type { SingleBar } from 'cli-progress';
import type { Output } from './output.ts';

/**
 * While something is followed, Ctrl-C ends the command and leaves that alone: the bar is taken away, which also brings
 * the terminal's cursor back, and it is said that it goes on.
 *
 * @returns what ends this
 */
export function leaveAloneOnInterrupt(bar: SingleBar | null, output: Output, what: string): () => void {
  const onInterrupt = (): void => {
    bar?.stop();
    output.note(`${what} goes on.`);
    // The handler is gone by now: this ends the process as the shell expects after Ctrl-C.
    process.kill(process.pid, 'SIGINT');
  };
  process.once('SIGINT', onInterrupt);
  return () => process.off('SIGINT', onInterrupt);
}
