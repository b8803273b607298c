import compress from '@fastify/compress';
import type { FastifyInstance, FastifyRequest, preParsingHookHandler, RequestPayload } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    /** The stream that the body is read from: the request itself, or its decompressor. */
    bodyStream: RequestPayload | null;
  }
}

/**
 * Decompresses request bodies; answers go out as they are. Fastify counts decoded bytes against the body
 * limit while they come in.
 */
export async function addRequestDecompression(server: FastifyInstance): Promise<void> {
  await server.register(compress, {
    globalCompression: false,
    requestEncodings: ['gzip', 'br', 'zstd', 'deflate', 'identity'],
  });
  server.decorateRequest('bodyStream', null);
  server.addHook('onRoute', (route) => {
    // Behind the plugin's own hook, which puts the decompressor in the request's place.
    route.preParsing = [route.preParsing ?? [], remember].flat();
  });
}

const remember: preParsingHookHandler = (request, _reply, payload, done) => {
  request.bodyStream = payload;
  done(null, payload);
};

/**
 * Lets go of a body that is too large. Its decompressor stops: a bomb of 3 KB would otherwise keep a core busy
 * for seconds after its answer. What the client still sends is read and dropped (until the request times out):
 * closing at once would reset the connection, and the client might never see the answer.
 */
export function dropRestOfBody(request: FastifyRequest): void {
  const { raw, bodyStream } = request;
  if (bodyStream !== null && bodyStream !== raw) {
    raw.unpipe();
    bodyStream.pause();
  }
  raw.resume();
}
