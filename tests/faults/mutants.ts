/** A mistake made on purpose, and the fault whose run has to find it. */
export interface Mutant {
  readonly name: string;
  /** Path from the repository's root. */
  readonly file: string;
  /** Occurs in the file exactly once. */
  readonly from: string;
  readonly to: string;
  readonly fault: string;
  /** The violation that the run must report. */
  readonly finds: RegExp;
}

/** One or more for each invariant. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the writer acknowledges before it commits',
    file: 'packages/writer-worker/src/batch/process-batch.ts',
    from: 'const written = await storeUntilCommitted(batch, context, stall).finally(stored);',
    to: 'await settleUntilTaken(batch, { stored: 0, duplicates: 0, dead: 0, letters: [] }, context);\n  const written = await storeUntilCommitted(batch, context, stall).finally(stored);',
    fault: 'writer-kill',
    finds: /^I1: \d+ acked events are neither stored nor dead/,
  },
  {
    name: 'ids of older segments are forgotten',
    file: 'packages/store/src/write/known-ids.ts',
    from: 'if (filter.has(hash)) suspects.push({ id, from, to });',
    to: 'filter.has(hash);',
    fault: 'segments-rotate',
    finds: /^I1: \d+ ids are stored twice/,
  },
  {
    name: 'a writer does not notice that its segment is closed',
    file: 'packages/store/src/migrations/0009-segments.ts',
    from: 'IF sluice_hot_segment() <> expected THEN',
    to: 'IF sluice_hot_segment() IS NULL THEN',
    fault: 'writer-asleep',
    finds: /^I1: \d+ ids are stored twice/,
  },
  {
    name: 'a transaction that stores does not keep its segment from rotating',
    file: 'packages/store/src/migrations/0009-segments.ts',
    from: 'PERFORM pg_advisory_xact_lock_shared(${SEGMENT_LOCK});',
    to: 'NULL;',
    fault: 'rotation-blocked',
    finds: /a segment rotated under an open transaction/,
  },
  {
    name: 'a rotation waits for as long as a transaction takes',
    file: 'packages/store/src/layout/rotate-segment.ts',
    from: 'const LOCK_TIMEOUT_MS = 150;',
    to: 'const LOCK_TIMEOUT_MS = 6_000;',
    fault: 'rotation-blocked',
    finds: /a writer waited \d+(?:\.\d+)? s for a rotation/,
  },
  {
    name: 'a segment whose ids are not read yet counts as one without them',
    file: 'packages/store/src/write/known-ids.ts',
    from: 'for (const { from, to } of this.#uncovered()) for (const id of ids) suspects.push({ id, from, to });',
    to: '',
    fault: 'segments-rotate',
    finds: /^I1: \d+ ids are stored twice/,
  },
  {
    name: 'a batch counts as stored when the unique index refuses one of its ids',
    file: 'packages/store/src/write/copy-events.ts',
    from: 'if (code === UNIQUE_VIOLATION && constraint === `${segmentTable(segment)}_id`) return false;',
    to: 'if (code === UNIQUE_VIOLATION) return true;',
    fault: 'segments-rotate',
    finds: /^I1: \d+ acked events are neither stored nor dead/,
  },
  {
    name: 'a segment is noted as sealed before it is',
    file: 'packages/store/src/layout/seal-segment.ts',
    from: '...HASHED_COLUMNS.map((column) =>',
    to: '() => noteSealed(db, relation, abort),\n          ...HASHED_COLUMNS.map((column) =>',
    fault: 'sealing-killed',
    finds: /events_s\d+ is noted as sealed and is not/,
  },
  {
    name: 'what was undone with a bad event is not inserted again',
    file: 'packages/store/src/migrations/0012-isolate-events.ts',
    from: "IF outcomes[n] IN ('stored', 'skipped') THEN\n             outcomes[n] := NULL;",
    to: "IF outcomes[n] = 'skipped' THEN\n             outcomes[n] := NULL;",
    fault: 'poison-1-in-500',
    finds: /^I1: \d+ acked events are neither stored nor dead/,
  },
  {
    name: 'a fold begins before what the last one has folded',
    file: 'packages/projections/src/fold/fold.ts',
    from: 'AND tx >= ${position.tx}::xid8`;',
    to: "AND tx >= '3'::xid8`;",
    fault: 'maintenance-half-open',
    finds: /^I2: session-\d+ counts/,
  },
  {
    name: 'a Redis connection whose peer has vanished is never given up',
    file: 'packages/shared/stream/src/connect-redis.ts',
    from: 'socketTimeout: 2 * options.commandTimeoutMs,',
    to: '',
    fault: 'ingest-half-open',
    finds: /^I3: a new batch is acked: not within/,
  },
  {
    name: 'ingest says 202 though Redis did not take the batch',
    file: 'packages/shared/accept/src/queue.ts',
    from: "if (accepting) logger.warn(about, 'batch not enqueued; answered 503');",
    to: "if (Date.now() > 0) return 'memory';\n        if (accepting) logger.warn(about, 'batch not enqueued; answered 503');",
    fault: 'redis-kill',
    finds: /^I4: \d+ requests were acked while the queue was not there/,
  },
  {
    name: 'ingest keeps every batch that it has ever queued',
    file: 'packages/shared/accept/src/queue.ts',
    from: 'async add(entries, requestId, span) {',
    to: 'async add(entries, requestId, span) { ((globalThis as { kept?: Buffer[] }).kept ??= []).push(Buffer.alloc(2 ** 18, 1));',
    fault: 'postgres-outage',
    finds: /^I5: ingest held \d+ MiB/,
  },
];
