import cliProgress from 'cli-progress';

const LINE_EVERY_MS = 1_000;

export interface DemoProgress {
  acked(count: number): void;
  stored(count: number): void;
  /** Prints a line without disturbing the bars. */
  line(text: string): void;
  /** Shows the last state and releases the terminal. */
  stop(): void;
}

export interface ProgressOptions {
  total: number;
  /** Where it is shown: two bars on a terminal, a line a second anywhere else. */
  output: NodeJS.WriteStream;
}

/** Shows how many of the events are acknowledged and how many are stored. */
export function createProgress({ total, output }: ProgressOptions): DemoProgress {
  return output.isTTY ? bars(total, output) : lines(total, output);
}

function bars(total: number, output: NodeJS.WriteStream): DemoProgress {
  const shown = new cliProgress.MultiBar(
    {
      format: '  {name}  {bar}  {percentage} %  {count}',
      hideCursor: true,
      clearOnComplete: false,
      gracefulExit: false,
      stream: output,
    },
    cliProgress.Presets.shades_classic,
  );
  const bar = (name: string) => shown.create(total, 0, { name, count: '0' });
  const [ackedBar, storedBar] = [bar('acked '), bar('stored')];
  const set = (which: cliProgress.SingleBar) => (count: number) =>
    which.update(Math.min(count, total), { count: count.toLocaleString('en') });
  return {
    acked: set(ackedBar),
    stored: set(storedBar),
    line: (text) => shown.log(`${text}\n`),
    stop: () => shown.stop(),
  };
}

function lines(total: number, output: NodeJS.WriteStream): DemoProgress {
  const counts = { acked: 0, stored: 0 };
  let printedAt = performance.now();
  const print = () => {
    const [acked, stored, all] = [counts.acked, counts.stored, total].map((count) => count.toLocaleString('en'));
    output.write(`acked ${acked}, stored ${stored} of ${all}\n`);
    printedAt = performance.now();
  };
  const set = (which: 'acked' | 'stored') => (count: number) => {
    counts[which] = count;
    if (performance.now() - printedAt >= LINE_EVERY_MS) print();
  };
  return { acked: set('acked'), stored: set('stored'), line: (text) => void output.write(`${text}\n`), stop: print };
}
