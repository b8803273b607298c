import cliProgress from 'cli-progress';

/** Shows the progress of long work: a bar on a terminal, elsewhere a line for each piece of work. */
export interface Progress {
  line(this: void, text: string): void;
  /** @returns a function to call with how much of `total` is done */
  start(this: void, name: string, total: number): (done: number) => void;
  stop(this: void): void;
}

export function createProgress(output: NodeJS.WriteStream): Progress {
  let bar: cliProgress.SingleBar | null = null;
  const stop = (): void => {
    bar?.stop();
    bar = null;
  };
  const line = (text: string): void => {
    stop();
    output.write(`${text}\n`);
  };
  return {
    line,
    start(name, total) {
      if (!output.isTTY) {
        line(name);
        return () => {};
      }
      stop();
      bar = new cliProgress.SingleBar(
        { format: `${name.padEnd(40)} {bar} {percentage} %`, hideCursor: true, gracefulExit: false, stream: output },
        cliProgress.Presets.shades_classic,
      );
      bar.start(total, 0);
      return (done) => {
        bar?.update(done);
        if (done >= total) stop();
      };
    },
    stop,
  };
}
