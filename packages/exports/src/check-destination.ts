import type { DestinationSettings } from './destination.ts';
import { PrivateAddressError, refusePrivateHost } from './public-address.ts';

/** Names of S3's general purpose buckets: lower case, digits, dots and dashes. */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const LOOKS_LIKE_ADDRESS = /^\d+\.\d+\.\d+\.\d+$/;

/** What is wrong with the settings of a destination. */
export interface DestinationFault {
  readonly field: string;
  /** The end of a sentence that begins with the field's name. */
  readonly fault: string;
}

/**
 * Finds settings that can't work, or that would reach a private network.
 *
 * @returns the first fault; null when there is none
 */
export function findDestinationFault(
  settings: DestinationSettings,
  options: { readonly allowPrivate: boolean },
): DestinationFault | null {
  const prefix = prefixFault(settings.prefix);
  if (prefix !== null) return { field: 'prefix', fault: prefix };
  if (settings.kind === 'local') return null;
  const { bucket, endpoint } = settings;
  if (!BUCKET.test(bucket) || bucket.includes('..') || LOOKS_LIKE_ADDRESS.test(bucket)) {
    return {
      field: 'bucket',
      fault: 'must have 3 to 63 lower-case letters, digits, dots and dashes, as the names of S3 buckets do',
    };
  }
  if (settings.region !== undefined && !/^[a-z0-9-]{1,64}$/.test(settings.region)) {
    return { field: 'region', fault: 'must have lower-case letters, digits and dashes, e.g. eu-central-1' };
  }
  if (endpoint === undefined) return null;
  const fault = endpointFault(endpoint, options.allowPrivate);
  return fault === null ? null : { field: 'endpoint', fault };
}

/** Whether credentials of one may be used for the other: both are the same bucket on the same server. */
export function isSamePlace(one: DestinationSettings, other: DestinationSettings): boolean {
  if (one.kind !== 's3' || other.kind !== 's3') return one.kind === other.kind;
  return one.bucket === other.bucket && originOf(one.endpoint) === originOf(other.endpoint);
}

/** Whether both are buckets of the same S3-compatible server, named by an endpoint. */
export function isSameServer(one: DestinationSettings, other: DestinationSettings): boolean {
  if (one.kind !== 's3' || other.kind !== 's3' || one.endpoint === undefined) return false;
  return originOf(one.endpoint) === originOf(other.endpoint);
}

function prefixFault(prefix: string): string | null {
  if (prefix === '') return null;
  if (prefix.length > 512) return 'must have 512 characters at most';
  // oxlint-disable-next-line no-control-regex -- the check is for these
  if (/[\u0000-\u001f\u007f-\u009f\\]/.test(prefix) || !prefix.isWellFormed()) {
    return 'must have no control characters and no backslash';
  }
  if (prefix.startsWith('/')) return 'must be relative: without a slash at its start';
  const segments = prefix.split('/');
  if (segments.some((segment) => segment === '.' || segment === '..')) return 'must have no "." or ".." in it';
  if (segments.includes('')) return 'must have no empty part and no slash at its end';
  return null;
}

function endpointFault(endpoint: string, allowPrivate: boolean): string | null {
  if (!URL.canParse(endpoint)) return 'must be a URL, e.g. https://s3.example.com';
  const url = new URL(endpoint);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must start with https:// or http://';
  if (url.username !== '' || url.password !== '') return 'must have no user name and no password; use credentials';
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') return 'must have nothing after its host and port';
  if (allowPrivate) return null;
  try {
    refusePrivateHost(url.hostname);
  } catch (error) {
    if (error instanceof PrivateAddressError) return `must lie in the public internet: ${error.message}`;
    throw error;
  }
  if (/(^|\.)localhost\.?$/.test(url.hostname)) {
    return 'must lie in the public internet: localhost does not; EXPORT_ALLOW_PRIVATE=true allows it';
  }
  return null;
}

function originOf(endpoint: string | undefined): string {
  return endpoint === undefined ? '' : new URL(endpoint).origin;
}
