import { isIP } from 'node:net';

/** Ends of the names that Kubernetes makes for each service of a namespace, with a check of their values. */
const LINKS: readonly (readonly [RegExp, (value: string) => boolean])[] = [
  [/_SERVICE_HOST$/, isAddress],
  [/_SERVICE_PORT(?:_[A-Z0-9_]+)?$/, isPort],
  [/_PORT_\d+_(?:TCP|UDP|SCTP)_PROTO$/, (value) => /^(?:tcp|udp|sctp)$/.test(value)],
  [/_PORT_\d+_(?:TCP|UDP|SCTP)_PORT$/, isPort],
  [/_PORT_\d+_(?:TCP|UDP|SCTP)_ADDR$/, isAddress],
  [/_PORT(?:_\d+_(?:TCP|UDP|SCTP))?$/, (value) => /^(?:tcp|udp|sctp):\/\/[^/\s]+:\d+$/.test(value)],
];

/**
 * Whether Kubernetes wrote this variable, and nobody meant it for Sluice: a service called `sluice` puts
 * `SLUICE_SERVICE_HOST` into every pod of its namespace, and one called `ingest` puts `INGEST_PORT=tcp://10.0.0.1:80`.
 */
export function isServiceLink(name: string, value: string): boolean {
  return LINKS.some(([pattern, isWritten]) => pattern.test(name) && isWritten(value));
}

function isAddress(value: string): boolean {
  return isIP(value) !== 0;
}

function isPort(value: string): boolean {
  return /^\d{1,5}$/.test(value);
}
