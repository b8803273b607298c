import type { Random } from '@sluice/testkit/seeded-random';
import { DAYS, EVENTS_PER_CORRELATION, SESSIONS, TYPES, USERS, WIDE_TENANT, WORKBOOKS } from './dataset.ts';
import type { SeedsFilter } from './seeds-schema.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Events on a page. */
export const PAGE = 100;

/** One question to both. */
export type Question =
  | { readonly kind: 'page'; readonly filter: SeedsFilter }
  | { readonly kind: 'deep page'; readonly cursor: string; readonly filter: SeedsFilter; readonly depth: number }
  | { readonly kind: 'recent' }
  | {
      readonly kind: 'statistics';
      readonly start: string;
      /** Null for the time of the request. */
      readonly end: string | null;
      readonly tenant?: string;
      readonly approximate?: boolean;
    };

/** A kind of question, its goal, and how many of them the peer is asked: some take it seconds. */
export interface QuestionKind {
  readonly title: string;
  /** At most this many milliseconds at the 95th percentile; null without a goal. */
  readonly goalMs: number | null;
  /** The figure that the seeds state, in milliseconds. */
  readonly seedsSayMs: number | null;
  /** Share of the questions that the peer is asked as well, 0 to 1. */
  readonly peerShare: number;
  readonly questions: readonly Question[];
}

/** Each filter alone and in pairs, with and without a time: what an index should answer. */
export function pageQuestions(count: number, rows: number, now: number, random: Random): Question[] {
  const time = (): SeedsFilter => {
    const end = now - random.below(DAYS * DAY_MS);
    return { start_time: iso(end - (1 + random.below(14)) * DAY_MS), end_time: iso(end) };
  };
  const skewed = (limit: number): number => Math.floor(limit * (random.below(1_000_000) / 1e6) ** 3);
  const one: (() => SeedsFilter)[] = [
    () => ({ event_types: [random.pick(TYPES)] }),
    () => ({ event_types: [random.pick(TYPES), random.pick(TYPES)] }),
    () => ({ user_names: [`user-${skewed(SESSIONS) % USERS}`] }),
    () => ({ session_ids: [`session-${skewed(SESSIONS)}`] }),
    () => ({ workbook_names: [`Budget ${skewed(WORKBOOKS)}.xlsx`] }),
    () => ({ correlation_id: `run-${random.below(Math.max(1, Math.floor(rows / EVENTS_PER_CORRELATION)))}` }),
    () => ({}),
  ];
  return Array.from({ length: count }, (_, index) => {
    const filter = one[index % one.length]?.() ?? {};
    const timed = Math.floor(index / one.length) % 2 === 1;
    return { kind: 'page', filter: timed ? { ...filter, ...time() } : filter };
  });
}

export function recentQuestions(count: number): Question[] {
  return Array.from({ length: count }, () => ({ kind: 'recent' }));
}

/** A day anywhere in the past, whose ends are never on a full hour. */
export function dayQuestions(count: number, now: number, random: Random): Question[] {
  return Array.from({ length: count }, () => {
    const end = now - random.below((DAYS - 1) * DAY_MS);
    return { kind: 'statistics', start: iso(end - DAY_MS), end: iso(end) };
  });
}

/** Everything up to the time of the request, including events that are being written. */
export function everythingQuestions(count: number, now: number, random: Random): Question[] {
  return Array.from({ length: count }, () => ({
    kind: 'statistics',
    start: iso(now - DAYS * DAY_MS - random.below(DAY_MS)),
    end: null,
  }));
}

/** Everything of a tenant with as many distinct values as events. */
export function wideQuestions(count: number, now: number, approximate: boolean): Question[] {
  return Array.from({ length: count }, () => ({
    kind: 'statistics',
    start: iso(now - (DAYS + 1) * DAY_MS),
    end: null,
    tenant: WIDE_TENANT,
    approximate,
  }));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
