import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers';
import type { StartedTestContainer } from 'testcontainers';

const POSTGRES_PORT = 5432;
const REDIS_PORT = 6379;
/** An image that has to be pulled first takes its time as well, but that is not counted here. */
const READY_WITHIN_MS = 60_000;
const ENGINE_ANSWERS_WITHIN_MS = 2_000;
/** User, password and database of a server that lives as long as the tests. */
const NAME = 'sluice';

export interface ContainerServers {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Removes both containers and what they stored. */
  stop(): Promise<void>;
}

/**
 * Starts one Postgres and one Redis in containers, with the settings that they have without containers, and resolves
 * when both take connections from here. If one does not come up, the other is removed too.
 *
 * @param env names other images in TEST_POSTGRES_IMAGE and TEST_REDIS_IMAGE
 */
export async function startContainers(env: NodeJS.ProcessEnv = process.env): Promise<ContainerServers> {
  const started = await Promise.allSettled([
    startPostgres(env['TEST_POSTGRES_IMAGE'] ?? 'postgres:18'),
    startRedis(env['TEST_REDIS_IMAGE'] ?? 'redis:8'),
  ]);
  const stop = async (): Promise<void> => {
    const running = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    await Promise.all(running.map((container) => container.stop()));
  };
  const [postgres, redis] = started;
  if (postgres.status === 'fulfilled' && redis.status === 'fulfilled') {
    return {
      databaseUrl: `postgres://${NAME}:${NAME}@${address(postgres.value, POSTGRES_PORT)}/${NAME}`,
      redisUrl: `redis://${address(redis.value, REDIS_PORT)}`,
      stop,
    };
  }
  await stop();
  const reasons = started.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  throw new AggregateError(reasons, `the containers did not start: ${reasons.map(String).join('; ')}`);
}

/** Whether there is a container engine that answers at once. */
export async function engineAnswers(): Promise<boolean> {
  const { promise: limit, resolve: giveUp } = Promise.withResolvers<false>();
  const timer = setTimeout(() => giveUp(false), ENGINE_ANSWERS_WITHIN_MS);
  const answer = getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([answer, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function startPostgres(image: string): Promise<StartedTestContainer> {
  // A test that loses power proves nothing about fsync; without it the tests are faster.
  const settings = { max_connections: '300', shared_buffers: '256MB', fsync: 'off' };
  return new GenericContainer(image)
    .withEnvironment({
      POSTGRES_USER: NAME,
      POSTGRES_PASSWORD: NAME,
      POSTGRES_DB: NAME,
      // The collation of the cluster that `pnpm start` makes: text sorts alike, whatever locale the image has.
      POSTGRES_INITDB_ARGS: '--no-sync --encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8',
    })
    .withCommand(['postgres', ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])])
    .withExposedPorts(POSTGRES_PORT)
    .withWaitStrategy(
      Wait.forAll([
        // While the image makes its cluster it runs a server on a socket only, then stops it: only TCP tells.
        Wait.forSuccessfulCommand(`pg_isready --quiet --host=127.0.0.1 --username=${NAME}`),
        Wait.forListeningPorts(),
      ]),
    )
    .withStartupTimeout(READY_WITHIN_MS)
    .start();
}

function startRedis(image: string): Promise<StartedTestContainer> {
  // Ingest reads these back: with them, a 202 may say `fsync`.
  const settings = {
    appendonly: 'yes',
    appendfsync: 'always',
    'no-appendfsync-on-rewrite': 'no',
    'maxmemory-policy': 'noeviction',
    save: '',
  };
  return new GenericContainer(image)
    .withCommand(['redis-server', ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])])
    .withExposedPorts(REDIS_PORT)
    .withWaitStrategy(
      Wait.forAll([
        // While Redis loads its data it answers with LOADING, and redis-cli exits with 0 all the same.
        Wait.forSuccessfulCommand('redis-cli ping | grep --quiet PONG'),
        Wait.forListeningPorts(),
      ]),
    )
    .withStartupTimeout(READY_WITHIN_MS)
    .start();
}

function address(container: StartedTestContainer, port: number): string {
  return `${container.getHost()}:${container.getMappedPort(port)}`;
}
