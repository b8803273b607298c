/** For OpenAPI: a key with the scope `ingest` in either header; none for listed sites, or where ingest runs open. */
export const INGEST_KEY_OR_NONE: Record<string, string[]>[] = [{ apiKey: ['ingest'] }, { bearer: ['ingest'] }, {}];
