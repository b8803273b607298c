import { openDatabase } from '@sluice/store/database';
import { makePartitions } from '@sluice/store/layout/partitions';
import { DAYS } from './dataset.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Makes the partitions that the dataset's past needs; daemons only make this week's and the next. */
export async function makePastPartitions(databaseUrl: string): Promise<void> {
  const database = openDatabase({
    url: databaseUrl,
    poolSize: 1,
    statementTimeoutMs: 60_000,
    applicationName: 'bench',
  });
  try {
    await makePartitions(database, new Date(Date.now() - (DAYS + 1) * DAY_MS), Math.ceil(DAYS / 7) + 1);
  } finally {
    await database.close();
  }
}
