import { FAULTS } from './all-faults.ts';
import { HELP, readOptions } from './fault-options.ts';
import { renderTable, summarize } from './report.ts';
import { type FaultRun, runFault } from './run-fault.ts';

const options = readOptions(process.argv.slice(2));
if (options.kind === 'help') {
  process.stdout.write(HELP);
  process.exit(0);
}
if (options.kind === 'mistake') {
  process.stderr.write(`${options.message}\n\n${HELP}`);
  process.exit(2);
}

const faults = FAULTS.filter((fault) => options.only === null || fault.name === options.only);
const startedAt = performance.now();
const until = startedAt + options.minutes * 60_000;
const runs: FaultRun[] = [];
const stopped = new AbortController();
// The running fault finishes, so that nothing is left running or mounted; then the report is printed.
process.once('SIGINT', () => {
  stopped.abort();
  process.stderr.write('stopping after this fault\n');
});

// Zero minutes: every fault once.
for (let round = 0; !stopped.signal.aborted && (round === 0 || performance.now() < until); round += 1) {
  for (const fault of faults) {
    if (stopped.signal.aborted || (round > 0 && performance.now() >= until)) break;
    const seed = options.seed + round;
    const progress = (line: string): void => {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(0).padStart(5);
      process.stderr.write(`${seconds} s  ${fault.name}: ${line}\n`);
    };
    const run = await runFault(fault, seed, progress);
    runs.push(run);
    if (run.skipped !== null) progress(`skipped: ${run.skipped}`);
    else if (run.violations.length === 0) progress(`held; well again after ${run.recoveryMs} ms`);
    for (const violation of run.violations) progress(`VIOLATION ${violation}`);
  }
}

const rows = summarize(runs);
process.stdout.write(`${options.json ? JSON.stringify(rows, null, 2) : renderTable(rows)}\n`);
process.exit(rows.some((row) => row.violations.length > 0) ? 1 : 0);
