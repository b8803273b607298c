import type { Attributes } from '@opentelemetry/api';

/** More would be somebody's joke. */
const MAX_NAMES = 32;

/** A parameter that has a name, and one that looks like a name: what stands before no `=` may be a value. */
const NAMED = /[?&]([A-Za-z_][\w.-]{0,63})(?:\[\])?=/g;

/**
 * The attribute `url.query` of a request's span: the names of its parameters, without their values. Values are visitors'
 * ids, addresses of pages, cursors and whatever else a client puts there.
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
