import {
  type Attributes,
  context,
  type Context,
  type Link,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TimeInput,
  trace,
} from '@opentelemetry/api';
import { messageOf } from '@sluice/errors/message-of';
import { VERSION } from '@sluice/errors/version';

/** How a span starts. */
export interface SpanStart {
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
  readonly links?: Link[];
  readonly startTime?: TimeInput;
  /** Starts a new trace, whatever span is active. */
  readonly root?: boolean;
  /** The parent, instead of the active context. */
  readonly parent?: Context;
}

/** The tracer of Sluice's own spans. It does nothing while tracing is off. */
export function tracer() {
  return trace.getTracer('sluice', VERSION);
}

/**
 * Runs work inside a span. The span ends with the work, with an error status when it throws.
 *
 * With tracing off this costs well under a microsecond, so callers need not check.
 */
export async function inSpan<T>(name: string, start: SpanStart, work: (span: Span) => Promise<T>): Promise<T> {
  const { parent = context.active(), ...options } = start;
  return tracer().startActiveSpan(name, options, parent, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      failSpan(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Marks a span as failed: its status, and the error as an event of it. */
export function failSpan(span: Span, error: unknown): void {
  span.recordException(error instanceof Error ? error : String(error));
  span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) });
}
