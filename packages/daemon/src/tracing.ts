import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { pathToFileURL } from 'node:url';
import { startTracing } from './telemetry/start-tracing.ts';

// For `node --import`, before a daemon's main.ts: libraries must be patched before they are loaded.
await startTracing(daemonOf(process.argv[1] ?? ''));

/** @returns the name of the package of main.ts, e.g. `ingest-api` */
function daemonOf(main: string): string {
  const file = findPackageJSON(pathToFileURL(main));
  if (file === undefined) return 'unknown';
  const { name } = JSON.parse(readFileSync(file, 'utf8')) as { name: string };
  return name.replace(/^@sluice\//, '');
}
