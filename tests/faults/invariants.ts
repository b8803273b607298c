import { foldAll } from '@sluice/testkit/fold-all';
import type { FaultRig } from './fault-rig.ts';
import type { RequestLog } from './request-log.ts';

/** Highest resident memory of a daemon in MiB (I5): 150 of it is Node.js with the libraries loaded. */
const MEMORY_LIMIT_MIB = 512;

/** Compares what the database holds at the end of a run with what the clients know. */
export interface Findings {
  /** Events by what their clients know. */
  readonly acked: number;
  readonly refused: number;
  readonly unknown: number;
  readonly stored: number;
  /** Events with a dead letter; each copy that a client sent has one of its own. */
  readonly dead: number;
  /** Acked events that are nowhere, although nothing permits that. */
  readonly lost: number;
  /** Acked events that were lost with a queue that was emptied by force. */
  readonly wiped: number;
  readonly violations: readonly string[];
}

/**
 * I1 and I2: every acked event is stored or dead, once; no other is stored twice or without having been sent;
 * poison is dead and nothing else is; sessions count what is stored.
 *
 * @param wipedAt when the queue was emptied by force, if it was
 */
export async function checkStorage(rig: FaultRig, log: RequestLog, wipedAt: number | null): Promise<Findings> {
  const violations: string[] = [];
  const standings = log.standings();
  const stored = countById(await rig.sql<{ id: string }>('SELECT event_id::text AS id FROM events'));
  const dead = countById(
    await rig.sql<{ id: string }>("SELECT event_id::text AS id FROM dead_letters WHERE state <> 'replayed'"),
  );
  const counts = { acked: 0, refused: 0, unknown: 0 };
  const lost: string[] = [];
  let wiped = 0;

  for (const [id, { verdict, mayBeQueued, poison, batch }] of standings) {
    counts[verdict] += 1;
    const places = (stored.has(id) ? 1 : 0) + (dead.has(id) ? 1 : 0);
    if (places > 1) violations.push(`I1: ${id} is both in events and in dead_letters`);
    if (poison && stored.has(id)) violations.push(`I1: ${id} is stored, though the database should refuse it`);
    if (!poison && dead.has(id)) violations.push(`I1: ${id} is a dead letter, though nothing is wrong with it`);
    if (verdict === 'refused' && mayBeQueued === 0 && places > 0) violations.push(`I1: ${id} was refused and is there`);
    if (verdict !== 'acked' || places > 0) continue;
    const lastAck = Math.max(
      ...batch.attempts.filter((each) => each.verdict === 'acked').map((each) => each.startedAt),
    );
    if (wipedAt !== null && lastAck < wipedAt) wiped += 1;
    else lost.push(id);
  }
  if (lost.length > 0)
    violations.push(`I1: ${lost.length} acked events are neither stored nor dead, the first is ${lost[0]}`);
  const twice = [...stored].filter(([, count]) => count > 1);
  if (twice.length > 0) violations.push(`I1: ${twice.length} ids are stored twice, the first is ${twice[0]![0]}`);
  // Each copy that a client sent has its own dead letter, so that a replay can tell them apart. A redelivery makes none.
  const multiplied = [...dead].filter(([id, count]) => count > (standings.get(id)?.mayBeQueued ?? 0));
  if (multiplied.length > 0) violations.push(`I1: ${multiplied.length} ids have more dead letters than were sent`);
  for (const id of [...stored.keys(), ...dead.keys()])
    if (!standings.has(id)) violations.push(`I1: ${id} is there and no client sent it`);
  violations.push(...(await checkCounters(rig)));
  return { ...counts, stored: stored.size, dead: dead.size, lost: lost.length, wiped, violations };
}

/** I2: session counters equal the stored events of each session; and no two segments hold the same id. */
async function checkCounters(rig: FaultRig): Promise<string[]> {
  await foldAll({ url: rig.postgresServer.url, query: (text) => rig.sql(text) });
  const wrong = await rig.sql<{ session_id: string; counted: string; stored: string }>(`
    SELECT coalesce(s.session_id, e.session_id) AS session_id, coalesce(s.event_count, 0) AS counted, coalesce(e.stored, 0) AS stored
    FROM sessions s
    FULL JOIN (SELECT tenant, session_id, count(DISTINCT event_id) AS stored FROM events WHERE session_id IS NOT NULL GROUP BY 1, 2) e
      USING (tenant, session_id)
    WHERE coalesce(s.event_count, 0) <> coalesce(e.stored, 0)`);
  const doubled = await rig.sql<{ id: string }>(
    'SELECT event_id::text AS id FROM events GROUP BY tenant, event_id HAVING count(*) > 1',
  );
  return [
    ...wrong.map(
      ({ session_id: id, counted, stored }) => `I2: ${id} counts ${counted} events and has ${stored} of them`,
    ),
    ...(doubled.length > 0 ? [`I2: ${doubled.length} ids are stored more than once`] : []),
  ];
}

/** I5: no daemon held more memory than it may. */
export function checkMemory(peaks: ReadonlyMap<string, number>): string[] {
  return [...peaks]
    .filter(([, peak]) => peak > MEMORY_LIMIT_MIB)
    .map(([name, peak]) => `I5: ${name} held ${peak} MiB; the limit is ${MEMORY_LIMIT_MIB}`);
}

function countById(rows: readonly { id: string }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { id } of rows) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}
