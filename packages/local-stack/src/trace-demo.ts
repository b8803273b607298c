import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readStackEnvironment } from './config.ts';
import { drawTraces, type DrawOptions } from './draw-trace.ts';
import { findJaeger } from './find-jaeger.ts';
import { startOtlpReceiver } from './otlp-receiver.ts';
import { replayDeadLetter } from './replay-dead-letter.ts';
import { runStack } from './run-stack.ts';
import { traceDemoGuide } from './trace-demo-guide.ts';
import { parseTraceDemoOptions, TRACE_DEMO_HELP, type TraceDemoOptions } from './trace-demo-options.ts';
import { linkedTraces, type TraceTree } from './trace-tree.ts';

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

const DEFAULT_ENDPOINT = 'http://127.0.0.1:4318';
/** Settings of the caller that point at other servers or would lock the demo out. */
const NOT_TAKEN = new Set([
  'DATABASE_URL',
  'DATABASE_READ_URL',
  'REDIS_URL',
  'API_KEY',
  'API_KEYS',
  'OPERATOR_KEYS',
  'REQUIRE_KEYS',
  'OTEL_SERVICE_NAME',
]);
/** Events that are stored beside the one that is not. */
const GOOD_EVENTS = 3;

/** Spans that must have arrived before the traces are drawn; a transaction's span arrives after those below it. */
const STORY = ['POST /api/events', 'dead-letter event', 'POST /api/dead-letters/replays', 'replay dead letters'];

process.exitCode = await main();

async function main(): Promise<number> {
  let options: TraceDemoOptions;
  try {
    options = parseTraceDemoOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nSee: npx -y pnpm@12 trace-demo --help\n`);
    return EXIT_USAGE;
  }
  if (options.help) {
    process.stdout.write(TRACE_DEMO_HELP);
    return EXIT_OK;
  }
  return traceDemo(options, readStackEnvironment());
}

async function traceDemo(options: TraceDemoOptions, env: NodeJS.ProcessEnv): Promise<number> {
  const output = options.json ? process.stderr : process.stdout;
  const print = (...lines: string[]) => void output.write(`${lines.join('\n')}\n`);
  const endpoint = (env['OTEL_EXPORTER_OTLP_ENDPOINT'] || DEFAULT_ENDPOINT).replace(/\/+$/, '');
  if (!(/^https?:\/\//.test(endpoint) && URL.canParse(endpoint))) {
    process.stderr.write('OTEL_EXPORTER_OTLP_ENDPOINT must be a URL that starts with http:// or https://\n');
    return EXIT_USAGE;
  }
  const jaeger = await findJaeger(endpoint, options.jaeger);
  print(
    jaeger === undefined
      ? `No Jaeger ${options.jaeger === undefined ? '' : `with pages at ${options.jaeger} `}accepts traces at ${endpoint}; see ${options.json ? 'the JSON' : 'them drawn below'}.`
      : `Jaeger is at ${jaeger.ui}`,
    '',
  );
  const receiver = await startOtlpReceiver({ forwardTo: jaeger?.endpoint });
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-trace-demo-'));
  const traceId = randomBytes(16).toString('hex');
  const traceparent = `00-${traceId}-${randomBytes(8).toString('hex')}-01`;
  try {
    return await runStack({
      dataDir,
      mayInstall: options.install,
      env: stackEnvironment(env, receiver.endpoint),
      report: print,
      whenReady: async (stack, signal) => {
        print(
          '',
          `Sending ${GOOD_EVENTS + 1} events, one of which the table refuses, with`,
          `traceparent: ${traceparent}`,
          '',
        );
        const startedMs = Date.now();
        const replayed = await replayDeadLetter({
          databaseUrl: stack.databaseUrl,
          ingestUrl: stack.daemons['ingest-api']!.url,
          queryUrl: stack.daemons['query-api']!.url,
          apiKey: undefined,
          beside: GOOD_EVENTS,
          traceparent,
          signal,
          report: print,
        });
        if (signal.aborted) return 'stay';
        await receiver.until((spans) => isWhole(linkedTraces(spans, traceId)), 'the end of the story', { signal });
        if (signal.aborted) return 'stay';
        const traces = linkedTraces(receiver.spans, traceId);
        if (options.json) {
          process.stdout.write(`${JSON.stringify(traces.flatMap((trace) => trace.spans))}\n`);
        }
        const look: DrawOptions = { width: output.columns ?? 120, color: output.isTTY && output.hasColors() };
        print('', ...(options.json ? [] : drawTraces(traces, startedMs, look)), ...traceDemoGuide(look), '');
        if (jaeger !== undefined) print(...traces.map((trace) => `${jaeger.ui}/trace/${trace.traceId}`), '');
        return replayed ? EXIT_OK : EXIT_FAILED;
      },
    });
  } finally {
    await receiver.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** The caller's settings with the demo's own servers and ports, without keys, and with everything traced. */
function stackEnvironment(env: NodeJS.ProcessEnv, endpoint: string): NodeJS.ProcessEnv {
  const rest = Object.fromEntries(Object.entries(env).filter(([name]) => !NOT_TAKEN.has(name)));
  return {
    ...rest,
    INGEST_PORT: '0',
    QUERY_PORT: '0',
    WRITER_PORT: '0',
    MAINTENANCE_PORT: '0',
    ENABLE_BACKGROUND_TASKS: 'false',
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_SDK_DISABLED: 'false',
    OTEL_TRACES_SAMPLER_ARG: '1',
    OTEL_BSP_SCHEDULE_DELAY: '100',
    TRACE_CLIENTS: 'continue',
  };
}

/** Whether everything has arrived: both transactions, the first and that of the replay, and the spans that led to them. */
function isWhole(traces: readonly TraceTree[]): boolean {
  const names = traces.flatMap(({ spans }) => spans.map(({ name }) => name));
  return STORY.every((name) => names.includes(name)) && names.filter((name) => name === 'process events').length >= 2;
}
