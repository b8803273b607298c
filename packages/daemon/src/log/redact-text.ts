/**
 * User and password of a URL, wherever it stands in a text. Looks for the end of the scheme: beginning with the scheme, a
 * line of 100 KB such as `a.a.a…` takes seconds, in which the daemon does nothing else. A password may hold `@` itself.
 */
const URL_LOGIN = /(?<=[a-z0-9+.-]:\/\/)[^\s"'<>/]*@/gi;

/** Query parameters that are logins. */
const QUERY_LOGIN = /([?&](?:password|api_?key|token|secret)=)[^\s"&\\]+/gi;

/** What follows the name of an authentication scheme in a header. */
const HEADER_LOGIN = /\b(Bearer|Basic) +[A-Za-z0-9._~+/=-]{6,}/g;

/** A key that Sluice made; the part in front names it and is no secret. */
const STORED_KEY = /\b(slk_[0-9a-f]{16}_)[A-Za-z0-9_-]{43}/g;

/**
 * Messages of Postgres that quote the value they are about, which may be an event's; as it is, and inside JSON. A value
 * may hold quotes itself, so everything up to the last one goes.
 */
const QUOTED_VALUE =
  /\b(invalid input (?:syntax|value) for [^":\\]{1,100}: |malformed \w+ literal: |value out of range: )(?:"[^\n]*"|\\"(?:[^"\\]|\\.)*\\")/g;

/**
 * A text without the logins of its URLs, header logins, stored keys and values that Postgres quotes: for messages that
 * others wrote. Also for a whole line of JSON, which stays JSON.
 */
export function redactText(text: string): string {
  return text
    .replaceAll(URL_LOGIN, '[redacted]@')
    .replaceAll(QUERY_LOGIN, '$1[redacted]')
    .replaceAll(HEADER_LOGIN, '$1 [redacted]')
    .replaceAll(STORED_KEY, '$1[redacted]')
    .replaceAll(QUOTED_VALUE, '$1[redacted]');
}
