import { integer } from '@sluice/daemon/config/variables';

/** Variables of the daemons that use the stream. */
export const streamVariables = {
  STREAM_SHARDS: integer({
    default: 1,
    minimum: 1,
    maximum: 64,
    unit: 'streams',
    description: 'Streams that batches are spread over; more than one pays off on a Redis Cluster only.',
  }),
};
