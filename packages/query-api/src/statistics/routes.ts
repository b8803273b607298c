import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { ApiError } from '@sluice/errors/api-errors';
import { errorResponses } from '@sluice/errors/error-schema';
import { FIRST_YEAR_MS } from '@sluice/events/timestamp';
import { rangeOf, rangeProperties, tenantProperty } from '../events/inputs.ts';
import { untilGone } from '../http/client-gone.ts';
import { withTimeoutHint } from '../http/database-errors.ts';
import { oneOf } from '../http/schemas.ts';
import { tenantOf } from '../http/tenants.ts';
import type { QueryContext } from '../query-context.ts';
import { statisticsSchema } from './answers.ts';
import { DISTINCT_ERROR, type DistinctMethod } from './count-distinct.ts';
import { readStatistics } from './read-statistics.ts';
import { countBuckets, type Interval, INTERVAL_MS } from './statistics-range.ts';

/** Most buckets of a series: a day in minutes, two months in hours, four years in days, 28 in weeks. */
const MAX_BUCKETS = 1_500;

const TIMEOUT_HINT =
  'take a shorter range, ask for distinct=approximate, or check whether the roll-ups lag (`sluice jobs list`).';

const querystring = Type.Object(
  {
    ...tenantProperty,
    ...rangeProperties,
    interval: Type.Optional(
      Type.Unsafe<Interval>({
        type: 'string',
        enum: Object.keys(INTERVAL_MS),
        description: `Adds the counts of each minute, hour, day or week (UTC; weeks begin on Monday); at most ${MAX_BUCKETS} of them.`,
      }),
    ),
    distinct: Type.Optional(
      oneOf<DistinctMethod>(['exact', 'approximate'], {
        default: 'exact',
        description: `\`approximate\`: unique_* to within ${DISTINCT_ERROR * 100} % (one standard error), for sets nearly as large as the data. Events are counted exactly either way.`,
      }),
    ),
  },
  { additionalProperties: false },
);

/** `GET /api/events/statistics`. */
export function addStatisticsRoute(server: FastifyInstance, { readDatabase }: QueryContext): void {
  server.get('/api/events/statistics', {
    config: { scope: 'read' },
    schema: {
      tags: ['events'],
      summary: 'Count events by type, and distinct users, sessions and resources',
      description: 'The range is the last 24 hours, unless `start_time` or `end_time` says otherwise.',
      querystring,
      response: {
        200: statisticsSchema,
        ...errorResponses('query', 400, 401, 403, 503, 504),
      },
    },
    handler: async (request, reply) => {
      const { interval, distinct = 'exact', tenant: named, ...given } = request.query as Static<typeof querystring>;
      const tenant = tenantOf(named, request.operator);
      const end = rangeOf({ end_time: given.end_time }).end ?? new Date().toISOString();
      const { start = dayBefore(end) } = rangeOf(given);
      if (Date.parse(start) > Date.parse(end)) {
        throw new ApiError('invalid_request', 'start_time is in the future; send an end_time with it.');
      }
      const range = { start, end };
      if (interval !== undefined && countBuckets(range, interval) > MAX_BUCKETS) {
        throw new ApiError(
          'invalid_request',
          `interval=${interval} would make more than ${MAX_BUCKETS} buckets of this range; take a longer interval or a shorter range.`,
        );
      }
      const { counts, series } = await withTimeoutHint(TIMEOUT_HINT, () =>
        readStatistics(readDatabase, { tenant, range, interval: interval ?? null, distinct }, untilGone(reply)),
      );
      return {
        period_start: range.start,
        period_end: range.end,
        ...counts,
        distinct,
        distinct_error: distinct === 'exact' ? 0 : DISTINCT_ERROR,
        ...(series === null ? {} : { interval, series }),
      };
    },
  });
}

/** Not before the year 1, which is as early as a range may begin. */
function dayBefore(end: string): string {
  return new Date(Math.max(FIRST_YEAR_MS, Date.parse(end) - INTERVAL_MS.day)).toISOString();
}
