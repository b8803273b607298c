import compress from '@fastify/compress';
import type { FastifyInstance } from 'fastify';

/** Smaller answers are sent as they are, in bytes. */
const THRESHOLD = 1_024;

/**
 * Compresses answers by `Accept-Encoding`, on all routes that are added to this instance afterwards. Streams of events set
 * `compress: false`: a compressor would keep their last events back.
 */
export async function compressAnswers(server: FastifyInstance): Promise<void> {
  await server.register(compress, {
    globalDecompression: false,
    threshold: THRESHOLD,
    encodings: ['zstd', 'br', 'gzip'],
    customTypes: /^application\/(json|x-ndjson|javascript)|^text\/(html|css|javascript)|^image\/svg/,
  });
}
