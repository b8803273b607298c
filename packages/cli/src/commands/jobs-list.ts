import type { Command } from 'commander';
import type { AnswerOf, ApiClient } from '@sluice/api-client/api-client';
import { formatSeconds, formatTable, type Output } from '../output.ts';

type JobStatus = AnswerOf<'get', '/api/jobs'>['jobs'][number];

/** `jobs list`: shows what the maintenance workers do, and when. */
export function addJobsListCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('list')
    .description('every job: when it runs, how its last run ended, when the next one is')
    .addHelpText('after', '\nExamples:\n  ./sluice jobs list\n  ./sluice jobs list --json')
    .action(async () => {
      const { api, output } = context();
      const found = await api.call('get', '/api/jobs', {});
      const rows = found.jobs.map((job) => [
        job.name,
        describeSchedule(job.schedule),
        job.last_run?.state,
        job.last_run?.created_at.slice(0, 19),
        job.next_run_at?.slice(0, 19),
        job.stale ? 'STALE' : '',
        job.description,
      ]);
      output.result(
        found,
        formatTable(['job', 'schedule', 'last run', 'at', 'next run', 'alarm', 'description'], rows),
      );
    });
}

function describeSchedule(schedule: JobStatus['schedule']): string {
  if (schedule === null) return 'on request';
  return 'cron' in schedule ? `${schedule.cron} UTC` : `every ${formatSeconds(schedule.every_ms / 1000)}`;
}
