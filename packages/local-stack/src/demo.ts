import { batchEvents } from './batch-events.ts';
import { callersPath, dataDirOf, readStackEnvironment } from './config.ts';
import { DEMO_HELP, parseDemoOptions } from './demo-options.ts';
import type { DemoOptions } from './demo-options.ts';
import { createProgress } from './demo-progress.ts';
import { formatReport, reportBurst } from './demo-report.ts';
import type { DemoReport } from './demo-report.ts';
import { generateEvents } from './generate-events.ts';
import { createBatchSender } from './post-batch.ts';
import { countEvents, readEventsFile } from './read-events-file.ts';
import { replayDeadLetter } from './replay-dead-letter.ts';
import { runStack } from './run-stack.ts';
import { sendBurst } from './send-burst.ts';
import type { StackHandle } from './stack.ts';
import { startBanner } from './start-banner.ts';
import { untilReady } from './until-ready.ts';
import { watchStored } from './watch-stored.ts';

const EXIT_OK = 0;
const EXIT_NOT_STORED = 1;
const EXIT_USAGE = 2;

process.exitCode = await main();

async function main(): Promise<number> {
  const env = readStackEnvironment();
  let options: DemoOptions;
  try {
    options = parseDemoOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nSee: npx -y pnpm@12 demo --help\n`);
    return EXIT_USAGE;
  }
  if (options.help) {
    process.stdout.write(DEMO_HELP);
    return EXIT_OK;
  }
  if (options.input === undefined) return demo(options, options.events, env);
  const input = callersPath(env, options.input);
  let total: number;
  try {
    // The whole file is checked first: a bad line would otherwise appear in the middle of the burst.
    total = await countEvents(input);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return EXIT_USAGE;
  }
  return demo({ ...options, input }, total, env);
}

/** Runs the stack, sends `total` events, and answers the exit code. */
function demo(options: DemoOptions, total: number, env: NodeJS.ProcessEnv): Promise<number> {
  const output = options.json ? process.stderr : process.stdout;
  const printLine = (text: string) => void output.write(`${text}\n`);
  let report: (line: string) => void = printLine;
  return runStack({
    dataDir: dataDirOf(env),
    env,
    mayInstall: options.install,
    report: (line) => report(line),
    whenReady: async (stack, signal) => {
      const what = options.input === undefined ? 'generated events' : `events of ${options.input}`;
      printLine(
        `\nSending ${total.toLocaleString('en')} ${what} in batches of ${options.batch} over ${options.connections} connections`,
      );
      const progress = createProgress({ total, output });
      report = (line) => progress.line(line);
      let result: DemoReport;
      try {
        result = await burst({ stack, options, signal, progress, apiKey: env['API_KEY'] });
      } finally {
        progress.stop();
        report = printLine;
      }
      if (signal.aborted) return 'stay';
      if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
      else printLine(`\n${formatReport(result)}`);
      // This makes the table refuse events for a moment, which must not happen to a database that the caller named.
      if (!env['DATABASE_URL']) {
        printLine('');
        const replayed = await replayDeadLetter({
          databaseUrl: stack.databaseUrl,
          ingestUrl: stack.daemons['ingest-api']!.url,
          queryUrl: stack.daemons['query-api']!.url,
          apiKey: env['API_KEY'],
          signal,
          report: printLine,
        });
        if (signal.aborted) return 'stay';
        if (options.exit && !replayed) return EXIT_NOT_STORED;
      }
      if (options.exit) return result.ok ? EXIT_OK : EXIT_NOT_STORED;
      printLine(startBanner(stack, env));
      return 'stay';
    },
  });
}

interface Burst {
  stack: StackHandle;
  options: DemoOptions;
  signal: AbortSignal;
  progress: ReturnType<typeof createProgress>;
  apiKey: string | undefined;
}

/** Sends all events and waits until they are stored. */
async function burst({ stack, options, signal, progress, apiKey }: Burst): Promise<DemoReport> {
  const { batch, connections, input, events } = options;
  const ingestUrl = stack.daemons['ingest-api']!.url;
  await Promise.all(Object.values(stack.daemons).map(({ name, url }) => untilReady(name, url, signal)));
  const watch = await watchStored(stack.databaseUrl, (count) => progress.stored(count));
  const sender = createBatchSender({ ingestUrl, connections, apiKey });
  try {
    let acked = 0;
    const sent = await sendBurst({
      batches: batchEvents(input === undefined ? generateEvents(events) : readEventsFile(input), batch),
      sender,
      connections,
      signal,
      onAcked: (ids) => {
        acked += ids.length;
        watch.add(ids);
        progress.acked(acked);
      },
    });
    return reportBurst(sent, await watch.untilDrained(signal));
  } finally {
    sender.close();
    await watch.close();
  }
}
