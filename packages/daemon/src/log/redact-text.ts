/**
 * User and password of a URL anywhere in a text. The pattern starts at the end of the scheme. Starting at the scheme, a
 * line of 100 KB such as `a.a.a…` blocks the daemon for seconds. A password may contain `@`.
 */
const URL_LOGIN = /(?<=[a-z0-9+.-]:\/\/)[^\s"'<>/]*@/gi;

/** Query parameters that are logins. */
const QUERY_LOGIN = /([?&](?:password|api_?key|token|secret)=)[^\s"&\\]+/gi;

/** What follows the name of an authentication scheme in a header. */
const HEADER_LOGIN = /\b(Bearer|Basic) +[A-Za-z0-9._~+/=-]{6,}/g;

/** A key that Sluice made. The first part is its id and no secret. */
const STORED_KEY = /\b(slk_[0-9a-f]{16}_)[A-Za-z0-9_-]{43}/g;

/**
 * Messages of Postgres that quote a value, which may be an event's; plain, and inside JSON. A value may contain quotes,
 * so everything up to the last quote is redacted.
 */
const QUOTED_VALUE =
  /\b(invalid input (?:syntax|value) for [^":\\]{1,100}: |malformed \w+ literal: |value out of range: )(?:"[^\n]*"|\\"(?:[^"\\]|\\.)*\\")/g;

/**
 * Redacts a text that a library wrote: logins in URLs and headers, stored keys, and values that Postgres quotes. A line
 * of JSON stays JSON.
 */
export function redactText(text: string): string {
  return text
    .replaceAll(URL_LOGIN, '[redacted]@')
    .replaceAll(QUERY_LOGIN, '$1[redacted]')
    .replaceAll(HEADER_LOGIN, '$1 [redacted]')
    .replaceAll(STORED_KEY, '$1[redacted]')
    .replaceAll(QUOTED_VALUE, '$1[redacted]');
}
