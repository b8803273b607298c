import { openDatabase } from '@sluice/store/database';
import { sealHotSegment } from '@sluice/testkit/seal-hot-segment';

/**
 * Runs work that stores events, and lets it seal the hot segment, as the maintenance worker does with full ones.
 *
 * @param work calls `seal` when the hot segment is full
 */
export async function sealFullSegments(
  databaseUrl: string,
  work: (seal: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const database = openDatabase({
    url: databaseUrl,
    poolSize: 4,
    statementTimeoutMs: 60_000,
    applicationName: 'bench',
  });
  try {
    await work(async () => {
      await sealHotSegment(database);
    });
  } finally {
    await database.close();
  }
}
