/** For OpenAPI: a key with the scope `ingest` in either header, or none for listed sites or an open ingest. */
export const INGEST_KEY_OR_NONE: Record<string, string[]>[] = [{ apiKey: ['ingest'] }, { bearer: ['ingest'] }, {}];
