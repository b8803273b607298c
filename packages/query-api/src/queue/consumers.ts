import type { DaemonState, Stall } from '@sluice/daemon/http/daemon-state';
import type { ShardStatus } from './read-queue.ts';

/** How a writer's state names its instance: with its consumer's name. */
const WRITER_INSTANCE = 'writer-worker:';

/** A writer, over all shards; see `consumerSchema`. */
interface ConsumerStatus {
  readonly name: string;
  readonly status: DaemonState['status'] | 'gone';
  readonly pending: number;
  readonly failed: readonly { readonly check: string; readonly message?: string; readonly since: string }[];
  readonly stalled?: Stall;
}

/** Joins what Redis knows of the writers as consumers with what they publish of themselves, by name. */
export function consumersOf(shards: readonly ShardStatus[], states: readonly DaemonState[]): ConsumerStatus[] {
  const writers = new Map(
    states
      .filter(({ instance }) => instance.startsWith(WRITER_INSTANCE))
      .map((state) => [state.instance.slice(WRITER_INSTANCE.length), state] as const),
  );
  const known = shards.flatMap(({ consumers }) => consumers);
  const names = new Set([...known.map(({ name }) => name), ...writers.keys()]);
  return [...names].toSorted().map((name) => {
    const state = writers.get(name);
    return {
      name,
      status: state?.status ?? 'gone',
      pending: known.filter((each) => each.name === name).reduce((sum, { pending }) => sum + pending, 0),
      failed: Object.entries(state?.checks ?? {}).flatMap(([check, { status, message, since }]) =>
        status === 'ok' ? [] : [{ check, ...(message === undefined ? {} : { message }), since }],
      ),
      ...(state?.stalled === undefined ? {} : { stalled: state.stalled }),
    };
  });
}
