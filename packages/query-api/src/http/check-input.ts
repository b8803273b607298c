import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from '@sluice/errors/api-errors';
import { MAX_EVENT_VALUES } from '@sluice/events/canonical-event';
import { readBody, refuseUnsafe } from '@sluice/events/json/read-body';
import { parseTimestamp, restorePlus } from '@sluice/events/timestamp';

declare module 'fastify' {
  interface FastifyRequest {
    /** The body's JSON text, in which numbers still have all their digits. */
    bodyText: string;
  }
}

const formats = {
  'date-time': (text: string) => parseTimestamp(text) !== null,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
};

/** `verbose`: errors hold the schema, so that messages can list its names. */
const AJV = { strict: false, useDefaults: true, verbose: true, formats } as const;

/** Most values in a body: an event of a dead letter, or 10,000 ids, and what is beside them. */
const MAX_VALUES = MAX_EVENT_VALUES + 5_000;

/** Names of the parts of a request in messages. */
const PART: Readonly<Record<string, string>> = {
  body: 'property',
  querystring: 'query parameter',
  params: 'part of the path',
};

/**
 * Validates requests against the schemas of their routes. Anything that a schema does not name is refused by name. Bodies
 * are not coerced: `"5"` does not become 5.
 */
export function addInputChecks(server: FastifyInstance): void {
  const exact = new Ajv(AJV);
  const fromText = new Ajv({ ...AJV, coerceTypes: true });
  server.setValidatorCompiler(({ schema, httpPart }) => {
    const validate = (httpPart === 'body' ? exact : fromText).compile(schema as object);
    return httpPart === 'querystring' ? withPlus(schema as QuerySchema, validate) : validate;
  });
  // Schemas of answers are documentation only: a schema's serializer would cut the digits of raw JSON numbers.
  server.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  server.setSchemaErrorFormatter((errors, part) => {
    const code = part === 'body' ? 'invalid_body' : 'invalid_request';
    // Fastify types what Ajv found more loosely than Ajv does.
    return new ApiError(code, explain(errors[0] as unknown as ErrorObject, part));
  });
  server.decorateRequest('bodyText', '');
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request: FastifyRequest, body, done) => {
    if (body.length === 0) {
      done(null, undefined);
      return;
    }
    try {
      const { parsed, text } = readBody(body as Buffer, MAX_VALUES);
      if (typeof parsed === 'object' && parsed !== null) refuseUnsafe(parsed, 0);
      request.bodyText = text;
      done(null, parsed);
    } catch (error) {
      done(error as Error);
    }
  });
}

/** As far as times are concerned. */
interface QuerySchema {
  readonly properties?: Readonly<Record<string, { readonly format?: string }>>;
}

/** Form decoding makes a space of the `+` of a time zone: puts it back before the check. */
function withPlus(schema: QuerySchema, validate: ValidateFunction): ValidateFunction {
  const times = Object.entries(schema.properties ?? {}).filter(([, { format }]) => format === 'date-time');
  if (times.length === 0) return validate;
  const check = (query: Record<string, unknown>): boolean => {
    for (const [name] of times) if (typeof query[name] === 'string') query[name] = restorePlus(query[name]);
    const valid = validate(query);
    check.errors = validate.errors;
    return valid;
  };
  check.errors = validate.errors;
  // Fastify calls it and reads its errors; the rest of Ajv's type is for callers of Ajv.
  return check as unknown as ValidateFunction;
}

/**
 * Makes a check of bodies against schemas that are known only when a request comes. Compiled schemas are cached without
 * a limit, so there must be few.
 *
 * @returns a function that fills in defaults, and throws ApiError `invalid_body` naming what is wrong
 */
export function createBodyCheck(): (schema: object, body: unknown) => void {
  const ajv = new Ajv(AJV);
  const compiled = new Map<string, ValidateFunction>();
  return (schema, body) => {
    const text = JSON.stringify(schema);
    const validate = compiled.get(text) ?? ajv.compile(schema);
    compiled.set(text, validate);
    if (!validate(body)) throw new ApiError('invalid_body', explain(validate.errors![0]!, 'body'));
  };
}

function explain({ keyword, params, instancePath, message, parentSchema }: ErrorObject, part: string): string {
  const path = instancePath.slice(1).replaceAll('/', '.');
  const within = path === '' ? '' : `${path}.`;
  if (keyword === 'additionalProperties') {
    const known = Object.keys((parentSchema as { properties?: object }).properties ?? {}).join(', ');
    const name = `${within}${String(params['additionalProperty'])}`;
    return `There is no ${PART[part] ?? 'field'} called ${name}; ${known === '' ? 'none is known' : `known: ${known}`}.`;
  }
  if (keyword === 'format' && params['format'] === 'date-time') {
    return `${path} must be a time with its zone, such as 2026-11-21T09:30:00Z or 2026-11-21T10:30:00+01:00.`;
  }
  if (keyword === 'required') return `${within}${String(params['missingProperty'])} is missing.`;
  const allowed = params['allowedValues'] as unknown[] | undefined;
  const wants = allowed === undefined ? message : `must be one of ${allowed.join(', ')}`;
  return `${path === '' ? `The ${part}` : path} ${wants}.`;
}
