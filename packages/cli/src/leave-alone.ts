import type { SingleBar } from 'cli-progress';
import type { Output } from './output.ts';

/**
 * Makes Ctrl-C end the command but not the work that it follows. The bar is removed, which also restores the
 * terminal's cursor, and a note says that the work continues.
 *
 * @returns removes the handler
 */
export function leaveAloneOnInterrupt(bar: SingleBar | null, output: Output, what: string): () => void {
  const onInterrupt = (): void => {
    bar?.stop();
    output.note(`${what} continues.`);
    // The handler is removed by now: this ends the process in the way that a shell expects after Ctrl-C.
    process.kill(process.pid, 'SIGINT');
  };
  process.once('SIGINT', onInterrupt);
  return () => process.off('SIGINT', onInterrupt);
}
