import { integer } from '@sluice/daemon/config/variables';

/** Variables of the daemons that use the stream. */
export const streamVariables = {
  STREAM_SHARDS: integer({
    default: 1,
    minimum: 1,
    maximum: 64,
    unit: 'streams',
    description: 'Number of streams that batches are spread over. More than one helps only on a Redis Cluster.',
  }),
};
