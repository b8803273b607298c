import { parseArgs } from 'node:util';

export const TRACE_DEMO_HELP = `Follows one request through Sluice: from the client's traceparent to the committed rows, a dead letter and its replay.

It starts a stack of its own on free ports, in a folder that it removes again, and ends by itself.

Usage: npx -y pnpm@12 trace-demo [options]

  --jaeger URL   pages of the Jaeger that should get the traces; http://127.0.0.1:16686 if not set
  --json         print the spans as one JSON array, everything else on standard error
                 (pnpm prints a line of its own first: npx -y pnpm@12 --silent trace-demo --json)
  --no-install   never installs a Redis with apt-get, nor pulls its image; fails when there is none
  --help

The traces are drawn in the terminal. If a Jaeger answers, they are sent there too (OTEL_EXPORTER_OTLP_ENDPOINT,
http://127.0.0.1:4318 if not set), and the links are printed.

Exit codes: 0 done, 1 it did not work, 2 wrong options.
`;

export interface TraceDemoOptions {
  help: boolean;
  json: boolean;
  /** Whether a missing Redis may be installed or downloaded. */
  install: boolean;
  /** Without a slash at the end. */
  jaeger: string | undefined;
}

/** Reads the command line of `trace-demo`. Throws for an unknown option and for an invalid URL. */
export function parseTraceDemoOptions(args: string[]): TraceDemoOptions {
  const { values } = parseArgs({
    args,
    allowNegative: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      json: { type: 'boolean', default: false },
      install: { type: 'boolean', default: true },
      jaeger: { type: 'string' },
    },
  });
  const { jaeger } = values;
  if (jaeger !== undefined && !(/^https?:\/\//.test(jaeger) && URL.canParse(jaeger))) {
    throw new Error(`--jaeger must be a URL such as http://127.0.0.1:16686, not "${jaeger}"`);
  }
  return { ...values, jaeger: jaeger?.replace(/\/+$/, '') };
}
