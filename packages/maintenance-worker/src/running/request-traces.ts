/** Most requests that are remembered: a request that another worker runs is never taken here. */
const MOST = 1_000;

/** Remembers the traces of requests: a worker that is woken for one run may run an older one. */
export interface RequestTraces {
  /** Remembers the `traceparent` of the request for a run. */
  note(run: string, traceparent: string | null | undefined): void;
  /** The `traceparent` of the request for a run that begins; null when another worker was woken for it. */
  take(run: string): string | null;
}

/** Makes a memory of the newest thousand requests. */
export function createRequestTraces(): RequestTraces {
  const traces = new Map<string, string>();
  return {
    note(run, traceparent) {
      if (traceparent === null || traceparent === undefined) return;
      traces.set(run, traceparent);
      if (traces.size > MOST) traces.delete(traces.keys().next().value!);
    },
    take(run) {
      const traceparent = traces.get(run) ?? null;
      traces.delete(run);
      return traceparent;
    },
  };
}
