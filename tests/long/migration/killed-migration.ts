import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { ROLLUP_LOCK } from '@sluice/store/rollup-lock';
import { connect, type Sql } from './sql.ts';

const MIGRATE = resolve(import.meta.dirname, '../../../packages/maintenance-worker/src/migrate.ts');

/** Key of the advisory lock at which a step waits to be killed. */
const KILL_LOCK = 4711;

/** Runs in a row that may end with an error, e.g. because a lock was not free in time. */
const MOST_FAILURES = 20;

/** One kill. */
export interface Kill {
  readonly step: string;
  /** From the start of the process. */
  readonly afterMs: number;
}

/**
 * Makes each step of a migration wait once: every DDL statement at its beginning, and every note of a migration. What a
 * transaction has done before is undone by a kill, and what is outside of one stays.
 */
export async function prepareKills(sql: Sql): Promise<void> {
  await sql('CREATE SCHEMA rehearsal');
  await sql('CREATE TABLE rehearsal.killed (step text PRIMARY KEY)');
  // The name of the session tells the controller which step waits.
  await sql(`CREATE FUNCTION rehearsal.wait_once(step text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
      IF current_setting('application_name') = 'sluice-maintenance' AND NOT EXISTS (SELECT FROM rehearsal.killed AS k WHERE k.step = wait_once.step) THEN
        PERFORM set_config('application_name', 'step ' || step, true);
        PERFORM pg_advisory_xact_lock(${KILL_LOCK});
      END IF;
    END $$`);
  await sql(`CREATE FUNCTION rehearsal.at_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM rehearsal.wait_once(md5(current_query())); END $$`);
  await sql(`CREATE FUNCTION rehearsal.at_note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM rehearsal.wait_once(lower(TG_OP) || ' ' || NEW.name);
      RETURN NEW;
    END $$`);
  await sql(`CREATE TRIGGER wait_once BEFORE INSERT OR UPDATE ON sluice_migrations FOR EACH ROW
             EXECUTE FUNCTION rehearsal.at_note()`);
  await sql('CREATE EVENT TRIGGER wait_once ON ddl_command_start EXECUTE FUNCTION rehearsal.at_ddl()');
}

/** Takes away what `prepareKills` made. */
export async function removeKills(sql: Sql): Promise<void> {
  await sql('DROP EVENT TRIGGER wait_once');
  await sql('DROP TRIGGER wait_once ON sluice_migrations');
  await sql('DROP SCHEMA rehearsal CASCADE');
}

/**
 * Migrates, kills the process with -9 at its next step, and begins again, until one run comes to its end.
 *
 * @param check called after each kill, once the server has noticed it
 */
export async function migrateKilled(
  url: string,
  sql: Sql,
  { cwd, check, report }: { cwd: string; check: () => void; report: (line: string) => void },
): Promise<Kill[]> {
  const kills: Kill[] = [];
  const controller = await connect(url, 'rehearsal');
  await controller.query(`SELECT pg_advisory_lock(${KILL_LOCK})`);
  let obstacle: Obstacle | null = null;
  let failures = 0;
  for (;;) {
    const holder = obstacle === null ? null : await hold(url, obstacle);
    const startedAt = performance.now();
    const process = startMigrating(url, cwd);
    const waiting = await untilWaiting(controller, process, obstacle);
    if (waiting === null) {
      await holder?.end();
      if (process.exitCode === 0) break;
      failures += 1;
      report(`a run ended with an error and is begun again: ${process.errors()}`);
      if (failures > MOST_FAILURES) throw new Error(`the migration does not get on: ${process.errors()}`);
      continue;
    }
    failures = 0;
    process.kill();
    await process.exited;
    await untilGone(controller, waiting.pid);
    await holder?.end();
    const afterMs = performance.now() - startedAt;
    if (waiting.step !== null) await sql('INSERT INTO rehearsal.killed VALUES ($1)', [waiting.step]);
    const step = obstacle === null ? describe(waiting) : `in the middle of ${oneLine(waiting.query)}`;
    kills.push({ step, afterMs });
    report(`killed ${step}`);
    check();
    obstacle = obstacle === null ? obstacleIn(waiting) : null;
  }
  await controller.end();
  return kills;
}

/** Holds something up, so that a statement waits in its middle. */
interface Obstacle {
  readonly lock: string;
  /** How the statement begins. */
  readonly statement: string;
}

/** Of the steps outside of transactions: the next run is killed in their middle. */
function obstacleIn({ query, step }: Waiting): Obstacle | null {
  const table = /^CREATE UNIQUE INDEX CONCURRENTLY \S+ ON (\S+)/.exec(query)?.[1];
  // It waits for everybody who may have written to the table, after its first entry in the catalog.
  if (table !== undefined)
    return { lock: `LOCK TABLE ${table} IN ROW EXCLUSIVE MODE`, statement: 'CREATE UNIQUE INDEX CONCURRENTLY' };
  if (query.includes('VALIDATE CONSTRAINT'))
    return { lock: 'LOCK TABLE ONLY events IN SHARE UPDATE EXCLUSIVE MODE', statement: 'ALTER TABLE events VALIDATE' };
  if (step === 'update 0010-folded-sessions')
    return { lock: `SELECT pg_advisory_xact_lock(${ROLLUP_LOCK})`, statement: 'SELECT pg_advisory_xact_lock' };
  return null;
}

async function hold(url: string, { lock }: Obstacle): Promise<pg.Client> {
  const client = await connect(url, 'rehearsal');
  await client.query('BEGIN');
  await client.query(lock);
  return client;
}

interface Waiting {
  readonly pid: number;
  /** Null where an obstacle holds it up. */
  readonly step: string | null;
  readonly query: string;
}

/** @returns the step that waits; null when the process has ended */
async function untilWaiting(
  controller: pg.Client,
  process: Migrating,
  obstacle: Obstacle | null,
): Promise<Waiting | null> {
  while (process.exitCode === null) {
    const { rows } = await controller.query<Waiting & { name: string }>(
      `SELECT pid, application_name AS name, query, CASE WHEN application_name LIKE 'step %' THEN substr(application_name, 6) END AS step
       FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
         AND (application_name LIKE 'step %' OR application_name = 'sluice-maintenance' AND query LIKE $1)`,
      [obstacle === null ? '' : `${obstacle.statement}%`],
    );
    if (rows[0] !== undefined) return rows[0];
    await delay(5);
  }
  return null;
}

/** The server notices by itself that its client is gone: `client_connection_check_interval`. */
async function untilGone(controller: pg.Client, pid: number): Promise<void> {
  while (((await controller.query('SELECT FROM pg_stat_activity WHERE pid = $1', [pid])).rowCount ?? 0) > 0)
    await delay(5);
}

interface Migrating {
  exitCode: number | null;
  readonly exited: Promise<unknown>;
  errors(): string;
  kill(): void;
}

/** Starts `migrate` as its command line does. */
function startMigrating(url: string, cwd: string): Migrating {
  const child: ChildProcess = spawn(process.execPath, [MIGRATE], {
    cwd,
    env: { PATH: process.env['PATH'], DATABASE_URL: url },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk));
  return {
    get exitCode() {
      return child.exitCode;
    },
    exited: once(child, 'close'),
    errors: () => errors.trim(),
    kill: () => child.kill('SIGKILL'),
  };
}

function describe({ query, step }: Waiting): string {
  return /^(insert|update) /.test(step ?? '') ? `before ${step}` : `before ${oneLine(query)}`;
}

/** The beginning of a statement. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}
