import type { Orm } from '@sluice/shared/database/orm';
import { makePartitions } from '@sluice/shared/database/partitions';
import { PARTITIONS_AHEAD } from '@sluice/shared/database/prepare-database';

/** Makes the partitions of this week and the next two, where they are missing. */
export async function makePartitionsJob({ orm }: { orm: Orm }): Promise<{ made: string[] }> {
  return { made: await makePartitions(orm, new Date(), PARTITIONS_AHEAD) };
}
