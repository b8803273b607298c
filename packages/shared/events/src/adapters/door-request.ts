/** The parts of a request that a door reads. */
export interface DoorRequest {
  /** Decompressed; empty when the request has no body. */
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly query: Readonly<Record<string, unknown>>;
}
