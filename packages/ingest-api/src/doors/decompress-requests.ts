import compress from '@fastify/compress';
import type { FastifyInstance, FastifyRequest, preParsingHookHandler, RequestPayload } from 'fastify';
import { contentCoding } from './content-coding.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The stream from which the body is read: the request itself, or its decompressor. */
    bodyStream: RequestPayload | null;
  }
}

/**
 * Decompresses request bodies. Answers are not compressed. Fastify counts the decoded bytes against the body limit
 * as they arrive.
 */
export async function addRequestDecompression(server: FastifyInstance): Promise<void> {
  server.addHook('onRequest', (request, _reply, done) => {
    spellCoding(request);
    done();
  });
  await server.register(compress, {
    globalCompression: false,
    requestEncodings: ['gzip', 'br', 'zstd', 'deflate', 'identity'],
  });
  server.decorateRequest('bodyStream', null);
  server.addHook('onRoute', (route) => {
    // Runs after the plugin's own hook, which replaces the request by its decompressor.
    route.preParsing = [route.preParsing ?? [], remember].flat();
  });
}

/** Rewrites Content-Encoding for the plugin, which compares it as it is. */
function spellCoding({ headers }: FastifyRequest): void {
  const header = headers['content-encoding'];
  if (header === undefined) return;
  const coding = contentCoding(header);
  if (coding === undefined) delete headers['content-encoding'];
  else headers['content-encoding'] = coding;
}

const remember: preParsingHookHandler = (request, _reply, payload, done) => {
  request.bodyStream = payload;
  done(null, payload);
};

/**
 * Stops decompressing a body that is too large: a bomb of 3 KB would otherwise keep a core busy for seconds after
 * its answer. Reads and drops what the client still sends, until the request times out. Closing at once would reset
 * the connection, and the client might never see the answer.
 */
export function dropRestOfBody(request: FastifyRequest): void {
  const { raw, bodyStream } = request;
  if (bodyStream !== null && bodyStream !== raw) {
    raw.unpipe();
    bodyStream.pause();
  }
  raw.resume();
}
