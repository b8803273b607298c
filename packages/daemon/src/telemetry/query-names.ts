import type { Attributes } from '@opentelemetry/api';

/** Longer lists are abuse. */
const MAX_NAMES = 32;

/** A parameter with a plausible name. A part without `=` may be a value, so it does not match. */
const NAMED = /[?&]([A-Za-z_][\w.-]{0,63})(?:\[\])?=/g;

/**
 * Makes the attribute `url.query` of a request's span: the names of its parameters without their values. Values may be
 * visitors' ids, addresses of pages or cursors.
 *
 * @param url as in the request line
 * @returns e.g. `{ 'url.query': 'siteId&visitorId' }`; nothing for a URL without a query
 */
export function queryNames(url: string): Attributes {
  const at = url.indexOf('?');
  if (at < 0) return {};
  const names = new Set<string>();
  for (const [, name] of url.slice(at).matchAll(NAMED)) {
    names.add(name!);
    if (names.size === MAX_NAMES) break;
  }
  return { 'url.query': [...names].join('&') };
}
