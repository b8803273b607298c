/** A request, as far as a door reads it. */
export interface DoorRequest {
  /** Decompressed; empty when there is none. */
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly query: Readonly<Record<string, unknown>>;
}
