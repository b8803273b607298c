import protobuf from 'protobufjs';

const field = (id: number, type: string): { id: number; type: string } => ({ id, type });
const repeated = (id: number, type: string): { id: number; type: string; rule: 'repeated' } => ({
  id,
  type,
  rule: 'repeated',
});

/**
 * The parts of OTLP's messages that are read here. The numbers are those of opentelemetry-proto 1.x (trace/v1,
 * common/v1, resource/v1). Other fields are skipped, as protobuf does with any unknown field.
 */
const MESSAGES = protobuf.Root.fromJSON({
  nested: {
    ExportTraceServiceRequest: { fields: { resourceSpans: repeated(1, 'ResourceSpans') } },
    ResourceSpans: { fields: { resource: field(1, 'Resource'), scopeSpans: repeated(2, 'ScopeSpans') } },
    Resource: { fields: { attributes: repeated(1, 'KeyValue') } },
    ScopeSpans: { fields: { scope: field(1, 'Scope'), spans: repeated(2, 'Span') } },
    Scope: { fields: { name: field(1, 'string') } },
    Span: {
      fields: {
        traceId: field(1, 'bytes'),
        spanId: field(2, 'bytes'),
        parentSpanId: field(4, 'bytes'),
        name: field(5, 'string'),
        kind: field(6, 'uint32'),
        startTimeUnixNano: field(7, 'fixed64'),
        endTimeUnixNano: field(8, 'fixed64'),
        attributes: repeated(9, 'KeyValue'),
        events: repeated(11, 'Event'),
        links: repeated(13, 'Link'),
        droppedLinksCount: field(14, 'uint32'),
        status: field(15, 'Status'),
      },
    },
    Event: { fields: { name: field(2, 'string'), attributes: repeated(3, 'KeyValue') } },
    Link: { fields: { traceId: field(1, 'bytes'), spanId: field(2, 'bytes'), attributes: repeated(4, 'KeyValue') } },
    Status: { fields: { message: field(2, 'string'), code: field(3, 'uint32') } },
    KeyValue: { fields: { key: field(1, 'string'), value: field(2, 'AnyValue') } },
    AnyValue: {
      oneofs: { value: { oneof: ['stringValue', 'boolValue', 'intValue', 'doubleValue', 'arrayValue'] } },
      fields: {
        stringValue: field(1, 'string'),
        boolValue: field(2, 'bool'),
        intValue: field(3, 'int64'),
        doubleValue: field(4, 'double'),
        arrayValue: field(5, 'ArrayValue'),
      },
    },
    ArrayValue: { fields: { values: repeated(1, 'AnyValue') } },
  },
});

/** A span as it came over the wire. */
export interface ReceivedSpan {
  /** `service.name` of the process that it comes from. */
  readonly service: string;
  /** The resource attributes of the process. */
  readonly resource: Readonly<Record<string, unknown>>;
  /** What made it: `sluice`, or the name of an instrumentation. */
  readonly scope: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Null for the first of its trace in this process and in those before it. */
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  /** Milliseconds since 1970, with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { name: string; attributes: Readonly<Record<string, unknown>> }[];
  readonly links: readonly { traceId: string; spanId: string; attributes: Readonly<Record<string, unknown>> }[];
  readonly droppedLinks: number;
  readonly status: 'unset' | 'ok' | 'error';
  readonly statusMessage: string;
}

const KINDS = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
const STATUSES = ['unset', 'ok', 'error'] as const;

interface KeyValue {
  key: string;
  value?: AnyValue;
}

interface AnyValue {
  stringValue?: string;
  boolValue?: boolean;
  /** 64 bits, as text. */
  intValue?: string;
  doubleValue?: number;
  arrayValue?: { values?: AnyValue[] };
}

interface Linked {
  traceId: string;
  spanId: string;
  attributes?: KeyValue[];
}

interface WireSpan extends Linked {
  parentSpanId?: string;
  name?: string;
  kind?: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  events?: { name: string; attributes?: KeyValue[] }[];
  links?: Linked[];
  droppedLinksCount?: number;
  status?: { message?: string; code?: number };
}

interface WireRequest {
  resourceSpans?: {
    resource?: { attributes?: KeyValue[] };
    scopeSpans?: { scope?: { name?: string }; spans?: WireSpan[] }[];
  }[];
}

/**
 * Reads the body of `POST /v1/traces`.
 *
 * @throws when it is not an ExportTraceServiceRequest in protobuf
 */
export function decodeSpans(body: Uint8Array): ReceivedSpan[] {
  const type = MESSAGES.lookupType('ExportTraceServiceRequest');
  // Bytes as base64 and 64-bit numbers as text, so that nothing is rounded.
  const request = type.toObject(type.decode(body), { longs: String, bytes: String }) as WireRequest;
  return (request.resourceSpans ?? []).flatMap(({ resource, scopeSpans = [] }) => {
    const values = valuesOf(resource?.attributes);
    const from = {
      service: typeof values['service.name'] === 'string' ? values['service.name'] : '',
      resource: values,
    };
    return scopeSpans.flatMap(({ scope, spans = [] }) =>
      spans.map((span) => receivedSpan(span, { ...from, scope: scope?.name ?? '' })),
    );
  });
}

function receivedSpan(span: WireSpan, from: Pick<ReceivedSpan, 'service' | 'resource' | 'scope'>): ReceivedSpan {
  const linked = ({ traceId, spanId, attributes }: Linked) => ({
    traceId: hexOf(traceId),
    spanId: hexOf(spanId),
    attributes: valuesOf(attributes),
  });
  return {
    ...from,
    ...linked(span),
    parentSpanId: span.parentSpanId ? hexOf(span.parentSpanId) : null,
    name: span.name ?? '',
    kind: KINDS[span.kind ?? 0] ?? 'internal',
    startMs: Number(span.startTimeUnixNano) / 1e6,
    endMs: Number(span.endTimeUnixNano) / 1e6,
    events: (span.events ?? []).map((event) => ({ name: event.name, attributes: valuesOf(event.attributes) })),
    links: (span.links ?? []).map(linked),
    droppedLinks: span.droppedLinksCount ?? 0,
    status: STATUSES[span.status?.code ?? 0] ?? 'unset',
    statusMessage: span.status?.message ?? '',
  };
}

function hexOf(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex');
}

function valuesOf(attributes: readonly KeyValue[] = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]));
}

function valueOf(value: AnyValue | undefined): unknown {
  if (value?.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(valueOf);
  if (value?.intValue !== undefined) return Number(value.intValue);
  return value?.stringValue ?? value?.boolValue ?? value?.doubleValue ?? null;
}
