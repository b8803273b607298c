import type { Command } from 'commander';
import type { AnswerOf, ApiClient } from '@sluice/api-client/api-client';
import { visible } from '@sluice/errors/visible';
import { formatBytes, formatSeconds, formatTable, type Output } from '../output.ts';

type TenantExports = AnswerOf<'get', '/export/status'>['tenants'][number];

/** `exports status`: shows how far each tenant's exports are, and what blocks them. */
export function addExportsStatusCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('status')
    .description('how far the exports are, when they run next, what blocks them')
    .option('--tenant <tenant>', 'of one tenant')
    .addHelpText('after', '\nExamples:\n  ./sluice exports status\n  ./sluice exports status --tenant acme --json')
    .action(async (query: { tenant?: string }) => {
      const { api, output } = context();
      const found = await api.call('get', '/export/status', { query });
      output.result(found, formatStatus(found.tenants));
    });
}

function formatStatus(tenants: readonly TenantExports[]): string {
  const rows = tenants.map((each) => [
    each.tenant,
    stateOf(each),
    describeSchedule(each.schedule),
    each.next_run_at?.slice(0, 19),
    each.lag_seconds === null ? null : formatSeconds(each.lag_seconds),
    each.totals.rows,
    formatBytes(each.totals.bytes),
    each.last_run === null ? null : `${each.last_run.state} ${each.last_run.created_at.slice(0, 19)}`,
  ]);
  const headings = ['tenant', 'state', 'schedule', 'next run', 'lag', 'rows', 'bytes', 'last run'];
  const paused = tenants.flatMap((each) =>
    each.paused === null
      ? []
      : [
          visible(
            `${each.tenant} is paused since ${each.paused.since.slice(0, 19)}: ${each.paused.reason} [${each.paused.code}]`,
          ),
          'Fix it, then run "./sluice exports config test" and "./sluice exports retry" with the failed run.',
        ],
  );
  return [formatTable(headings, rows), ...paused].join('\n');
}

function stateOf({ enabled, paused }: TenantExports): string {
  if (paused !== null) return 'PAUSED';
  return enabled ? 'on' : 'off';
}

/** A schedule in words; the API gives it as an object. */
export function describeSchedule(schedule: unknown): string {
  const given = schedule as { minute?: number; at?: string; cron?: string; every_events?: number; every?: string };
  const { time_zone: zone = 'UTC' } = schedule as { time_zone?: string };
  if (given.every === 'hour') return `hourly, minute ${given.minute ?? 0}`;
  if (given.every === 'day') return `daily at ${given.at ?? '00:00'} ${zone}`;
  if (given.every === 'minute') return 'each minute';
  if (given.cron !== undefined) return `${given.cron} ${zone}`;
  return given.every_events === undefined ? 'on demand' : `every ${given.every_events.toLocaleString('en')} events`;
}
