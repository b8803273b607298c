import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { allJobs } from '../../../src/jobs/all-jobs.ts';

/** What the folder holds beside jobs. */
const NO_JOBS = new Set(['all-jobs', 'job']);

it('every job is listed, and is in the file of its name', () => {
  const files = readdirSync(new URL('../../../src/jobs', import.meta.url)).map((file) => file.replace(/\.ts$/, ''));
  const listed = allJobs({ CLEANUP_INTERVAL_HOURS: 1 }).map(({ name }) => name);
  expect(listed.toSorted()).toEqual(files.filter((file) => !NO_JOBS.has(file)).toSorted());
});
