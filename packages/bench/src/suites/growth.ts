import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import type { BenchOptions } from '../bench-options.ts';
import type { Figure } from '../figure.ts';
import { median } from '../figures.ts';
import { measureStoring } from '../load/measure-storing.ts';
import { startDirectInsert } from '../load/peers.ts';
import { sluiceTarget } from '../load/sluice-target.ts';
import { storeRows } from '../load/store-rows.ts';
import type { Target } from '../load/target.ts';
import { untilFolded } from '../load/until-folded.ts';
import { svgChart } from '../svg-chart.ts';
import { type SuiteContext, type Surroundings, withServers } from '../with-servers.ts';
import { SUSTAINED_EVENTS } from './end-to-end.ts';
import type { LoadResults } from './load-results.ts';

const BATCH_SIZES = [1, 10, 100, 500, 1_000];
const CONNECTIONS = [1, 5, 20, 50, 100, 200];
/** Shares of the most rows that are stored. */
const STORED_SHARES = [0, 0.1, 0.25, 0.5, 1];
const BATCH = 500;

/** The longest measurement of one point, in seconds: there are dozens of points. */
const MOST_SECONDS = 10;

/** What grows, and the results at each size of it. */
interface Axis {
  readonly name: 'batch size' | 'connections' | 'stored rows';
  readonly scale: 'linear' | 'log';
  readonly points: { readonly x: number; readonly ours: Measured; readonly theirs: Measured }[];
}

interface Measured {
  readonly eventsPerSecond: number[];
  /** Of the answers, in milliseconds. */
  readonly p99: number[];
}

/** Measures speed and latency as batches, connections and stored rows grow, beside the peer that inserts in the request. */
export async function runGrowth(options: BenchOptions, context: SuiteContext): Promise<LoadResults> {
  return withServers(context, ['writer-worker', 'maintenance-worker', 'ingest-api'], async (servers) => {
    const ours = await sluiceTarget(servers.stack, servers.stack.daemons['ingest-api']!.url);
    servers.running.defer(() => ours.close());
    const direct = await startDirectInsert(servers.around);
    servers.running.defer(() => direct.stop());
    const bench = { options, context, servers, ours, direct };
    const batchSizes: Axis = { name: 'batch size', scale: 'log', points: [] };
    for (const batch of sizes(BATCH_SIZES, options)) {
      batchSizes.points.push({ x: batch, ...(await measurePoint(bench, `batches of ${batch}`, { batch })) });
    }
    const connections: Axis = { name: 'connections', scale: 'log', points: [] };
    for (const count of sizes(CONNECTIONS, options)) {
      connections.points.push({
        x: count,
        ...(await measurePoint(bench, `connections: ${count}`, { connections: count })),
      });
    }
    const axes = [batchSizes, connections, await measureStoredRows(bench)];
    if (options.svg !== undefined) await drawCharts(axes, options.svg, ours.name, direct.name);
    return { figures: axes.flatMap((axis) => figuresOf(axis, direct.name)), notes: [] };
  });
}

/** All sizes; in a quick run the smallest and the largest. */
function sizes(all: readonly number[], { quick }: BenchOptions): readonly number[] {
  return quick ? all.filter((_, at) => at === 0 || at === all.length - 1) : all;
}

interface Bench {
  readonly options: BenchOptions;
  readonly context: SuiteContext;
  readonly servers: Surroundings;
  readonly ours: Target;
  readonly direct: Target & { readonly databaseUrl: string };
}

async function measurePoint(
  { options, context, ours, direct }: Bench,
  title: string,
  at: { batch?: number; connections?: number; keepRows?: boolean },
): Promise<{ ours: Measured; theirs: Measured }> {
  const measure = async (target: Target, found: Measured): Promise<void> => {
    if (at.keepRows !== true) await target.empty();
    const { eventsPerSecond, load } = await measureStoring(target, {
      connections: at.connections ?? options.connections,
      batch: at.batch ?? BATCH,
      events: mostEvents(options, at.keepRows === true),
      seconds: Math.min(options.seconds, MOST_SECONDS),
      mostWaiting: SUSTAINED_EVENTS,
      signal: context.signal,
    });
    found.eventsPerSecond.push(eventsPerSecond);
    found.p99.push(load.p99);
  };
  const found = { ours: { eventsPerSecond: [], p99: [] }, theirs: { eventsPerSecond: [], p99: [] } };
  const done = context.progress.start(title, options.rounds);
  for (let round = 1; round <= options.rounds; round += 1) {
    await measure(ours, found.ours);
    await measure(direct, found.theirs);
    done(round);
  }
  return found;
}

/** Null when only the time is the bound. Where stored rows grow, a measurement must not add many. */
function mostEvents({ quick, events }: BenchOptions, keepRows: boolean): number | null {
  if (quick) return events;
  return keepRows ? Math.max(BATCH, events / 4) : null;
}

async function measureStoredRows(bench: Bench): Promise<Axis> {
  const { options, context, servers, ours, direct } = bench;
  const sluiceDb = new Client({ connectionString: servers.stack.databaseUrl });
  const peerDb = new Client({ connectionString: direct.databaseUrl });
  for (const db of [sluiceDb, peerDb]) {
    await db.connect();
    servers.running.defer(() => db.end());
  }
  await ours.empty();
  await direct.empty();
  const axis: Axis = { name: 'stored rows', scale: 'linear', points: [] };
  for (const share of sizes(STORED_SHARES, options)) {
    const wanted = Math.round(options.stored * share);
    const fill = async (db: Client, target: Target, schema: 'sluice' | 'peer'): Promise<void> => {
      const rows = Math.max(0, wanted - (await target.stored()));
      if (rows === 0) return;
      const onProgress = context.progress.start(
        `${target.name}: storing up to ${wanted.toLocaleString('en')} rows`,
        rows,
      );
      await storeRows(db, { rows, schema, seed: `to ${wanted}`, signal: context.signal, onProgress });
    };
    await fill(sluiceDb, ours, 'sluice');
    await fill(peerDb, direct, 'peer');
    // Folding the rows of the fill is not part of storing, and takes a while.
    if (wanted > 0 && !options.quick) await untilFolded(sluiceDb, context.signal);
    const x = await ours.stored();
    axis.points.push({
      x,
      ...(await measurePoint(bench, `stored rows: ${x.toLocaleString('en')}`, { keepRows: true })),
    });
  }
  return axis;
}

function figuresOf(axis: Axis, peer: string): Figure[] {
  return axis.points.flatMap(({ x, ours, theirs }) =>
    (['eventsPerSecond', 'p99'] as const).map((what) => ({
      name: `${axis.name} ${x.toLocaleString('en')}${what === 'p99' ? ', ack p99' : ''}`,
      unit: what === 'p99' ? 'ms' : 'events/s',
      ours: ours[what],
      against: peer,
      theirs: theirs[what],
      goal: null,
    })),
  );
}

async function drawCharts(axes: readonly Axis[], folder: string, ourName: string, peerName: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { name, scale, points } of axes) {
    for (const what of ['eventsPerSecond', 'p99'] as const) {
      const line = (whose: 'ours' | 'theirs') => points.map((point) => ({ x: point.x, y: median(point[whose][what]) }));
      const chart = svgChart({
        title: what === 'p99' ? `99 of 100 answers are faster, by ${name}` : `Events stored by ${name}`,
        xLabel: name,
        yLabel: what === 'p99' ? 'p99 of answers, ms' : 'events/s, committed',
        xScale: scale,
        series: [
          { name: ourName, points: line('ours') },
          { name: peerName, points: line('theirs') },
        ],
      });
      await writeFile(join(folder, `growth-${name.replace(' ', '-')}${what === 'p99' ? '-p99' : ''}.svg`), chart);
    }
  }
}
