/** Key of the stream that the limit of ingest adds to. */
export const BARE_STREAM = 'bench:bare';
