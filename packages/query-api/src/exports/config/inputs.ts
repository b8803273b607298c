import { isDeepStrictEqual as isDeepEqual } from 'node:util';
import { type Static, Type } from 'typebox';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import { findDestinationFault, isSamePlace } from '@sluice/exports/check-destination';
import type { Credentials, DestinationSettings } from '@sluice/exports/destination';
import type { ExportConfig } from '@sluice/exports/export-config';
import { type DestinationRole, openCredentials, type TenantCredentials } from '@sluice/exports/export-credentials';
import {
  EXPORT_COMPRESSIONS,
  EXPORT_FORMATS,
  type ExportCompression,
  type ExportFormat,
  formatProblem,
} from '@sluice/exports/export-formats';
import { type ExportSchedule, parseSchedule } from '@sluice/exports/export-schedule';
import type { ExportSettings } from '@sluice/exports/export-settings';
import { allowsPrivate, isDefaultPlace } from '@sluice/exports/open-tenant-destination';
import { SealError } from '@sluice/exports/sealed-secrets';
import { oneOf, orNull } from '../../http/schemas.ts';

/** The characters that a header can carry. */
const KEY_TEXT = '^[\\x21-\\x7e]+$';

const credentialsInput = Type.Object(
  {
    access_key_id: Type.String({ maxLength: 256, pattern: KEY_TEXT }),
    secret_access_key: Type.String({ maxLength: 1_024, pattern: KEY_TEXT }),
  },
  { additionalProperties: false, description: 'Write-only. Left out, the stored credentials stay; null deletes them.' },
);

const destinationInput = Type.Object(
  {
    kind: oneOf(['s3', 'local']),
    bucket: Type.Optional(Type.String()),
    prefix: Type.Optional(Type.String({ default: '' })),
    region: Type.Optional(Type.String()),
    endpoint: Type.Optional(Type.String({ description: 'URL of an S3-compatible server; left out for AWS.' })),
    path_style: Type.Optional(Type.Boolean()),
    credentials: Type.Optional(orNull(credentialsInput)),
  },
  { additionalProperties: false },
);

/** Body of `PUT /export/config` and `POST /export/config/test`. */
export const exportConfigInput = Type.Object(
  {
    enabled: Type.Optional(Type.Boolean({ default: true })),
    schedule: Type.Optional(
      Type.Unknown({
        description:
          'hourly, daily, realtime, manual, threshold:N, a cron line in UTC, or an object: {"every":"hour","minute":0}, {"every":"day","at":"02:00","time_zone":"Europe/Berlin"}, {"every":"minute"}, {"cron":"…","time_zone":"…"}, {"every_events":1000}, {"manual":true}. Default: EXPORT_SCHEDULE.',
      }),
    ),
    format: Type.Optional(oneOf(EXPORT_FORMATS, { description: 'Default: EXPORT_FORMAT.' })),
    compression: Type.Optional(oneOf(EXPORT_COMPRESSIONS, { description: 'Default: none.' })),
    destination: Type.Optional(destinationInput),
    backup: Type.Optional(orNull(destinationInput)),
  },
  { additionalProperties: false },
);

export type ExportConfigInput = Static<typeof exportConfigInput>;
type DestinationInput = Static<typeof destinationInput>;

/** A valid configuration. */
export interface CheckedConfig {
  readonly enabled: boolean;
  readonly schedule: ExportSchedule;
  readonly format: ExportFormat;
  readonly compression: ExportCompression;
  readonly destination: DestinationSettings;
  readonly backup: DestinationSettings | null;
  readonly credentials: TenantCredentials;
  /** Whether the destination or its credentials have changed. */
  readonly moved: boolean;
}

/**
 * Checks a configuration and fills in missing fields from the variables. Only credentials are taken over from the present
 * one, and only for the same bucket on the same server: to send files elsewhere, one must know the credentials.
 *
 * @throws ApiError naming the field
 */
export function checkExportConfig(
  input: ExportConfigInput,
  present: ExportConfig,
  operator: Principal,
  settings: ExportSettings,
): CheckedConfig {
  const { defaults } = settings;
  const format = input.format ?? defaults.format;
  const compression = input.compression ?? 'none';
  const problem = formatProblem(format, compression);
  if (problem !== null) throw new ApiError('invalid_body', `${problem}.`);
  const check = (role: DestinationRole, given: DestinationInput | null | undefined): DestinationSettings | null =>
    given === undefined
      ? defaults[role]
      : given === null
        ? null
        : withinTenant(role, checkDestination(role, given, settings), operator, settings);
  const destination = check('destination', input.destination) ?? defaults.destination;
  // The backup of the variables belongs to the destination of the variables, and to no other.
  const backup = check('backup', input.backup === undefined && input.destination !== undefined ? null : input.backup);
  const kept = (role: DestinationRole, place: DestinationSettings | null): Credentials | undefined =>
    place === null ? undefined : chooseCredentials(role, place, input[role]?.credentials, present, operator, settings);
  const credentials = {
    ...withRole('destination', kept('destination', destination)),
    ...withRole('backup', kept('backup', backup)),
  };
  return {
    enabled: input.enabled ?? true,
    schedule: checkSchedule(input.schedule, settings),
    format,
    compression,
    destination,
    backup,
    credentials,
    moved:
      !isDeepEqual(destination, present.destination) ||
      !isDeepEqual(backup, present.backup) ||
      input.destination?.credentials !== undefined ||
      input.backup?.credentials !== undefined,
  };
}

function checkSchedule(given: unknown, { defaults }: ExportSettings): ExportSchedule {
  if (given === undefined) return defaults.schedule;
  try {
    return parseSchedule(given);
  } catch (error) {
    if (error instanceof RangeError) throw new ApiError('invalid_body', `schedule ${error.message}.`);
    throw error;
  }
}

function checkDestination(
  role: DestinationRole,
  given: DestinationInput,
  settings: ExportSettings,
): DestinationSettings {
  const { kind, bucket, prefix = '', region, endpoint, path_style: pathStyle } = given;
  if (kind === 'local') {
    for (const name of ['bucket', 'region', 'endpoint', 'path_style', 'credentials'] as const) {
      if (given[name] !== undefined)
        throw new ApiError('invalid_body', `${role}.${name} is for destinations of kind s3.`);
    }
  } else if (bucket === undefined) {
    throw new ApiError('invalid_body', `${role}.bucket is missing.`);
  }
  const place: DestinationSettings =
    kind === 'local'
      ? { kind, prefix }
      : {
          kind,
          bucket: bucket ?? '',
          prefix,
          ...(region === undefined ? {} : { region }),
          ...(endpoint === undefined ? {} : { endpoint }),
          ...(pathStyle === undefined ? {} : { path_style: pathStyle }),
        };
  const found =
    findDestinationFault(place, { allowPrivate: true }) ??
    findDestinationFault(place, { allowPrivate: allowsPrivate(place, settings) });
  if (found !== null) throw new ApiError('invalid_body', `${role}.${found.field} ${found.fault}.`);
  return place;
}

/**
 * Keeps the files of a tenant on the server's own disk inside of the tenant's folder, when an operator of one tenant
 * chooses where they go.
 *
 * @throws ApiError when exports do not go to the disk by default: a tenant must not fill it
 */
function withinTenant(
  role: DestinationRole,
  place: DestinationSettings,
  { tenant }: Principal,
  settings: ExportSettings,
): DestinationSettings {
  if (place.kind !== 'local' || tenant === null || isDefaultPlace(place, role, settings)) return place;
  if (settings.defaults.destination.kind !== 'local') {
    throw new ApiError(
      'invalid_body',
      `${role}.kind must be s3: only an operator of all tenants may export to this server.`,
    );
  }
  const { prefix } = place;
  const isWithin = prefix === tenant || prefix.startsWith(`${tenant}/`);
  const within = { ...place, prefix: isWithin ? prefix : prefix === '' ? tenant : `${tenant}/${prefix}` };
  const found = findDestinationFault(within, { allowPrivate: true });
  if (found !== null) throw new ApiError('invalid_body', `${role}.${found.field} ${found.fault}.`);
  return within;
}

function chooseCredentials(
  role: DestinationRole,
  place: DestinationSettings,
  given: Credentials | null | undefined,
  present: ExportConfig,
  operator: Principal,
  settings: ExportSettings,
): Credentials | undefined {
  if (place.kind === 'local') return undefined;
  if (given !== undefined && given !== null) return given;
  const before = given === null ? undefined : presentCredentials(role, present, settings);
  const same = present[role] !== null && isSamePlace(place, present[role]);
  if (before !== undefined && same) return before;
  if (before !== undefined) {
    throw new ApiError(
      'invalid_body',
      `${role}.credentials must be sent again (or be null), because the bucket or the endpoint is another one.`,
    );
  }
  if (operator.tenant !== null && !isDefaultPlace(place, role, settings)) {
    throw new ApiError(
      'invalid_body',
      `${role}.credentials is missing: only an operator of all tenants may use the identity of this server.`,
    );
  }
  return undefined;
}

function presentCredentials(
  role: DestinationRole,
  present: ExportConfig,
  { keys }: ExportSettings,
): Credentials | undefined {
  try {
    return openCredentials(keys, present.tenant, present.secrets)[role];
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    throw new ApiError('invalid_body', `${role}.credentials must be sent again: ${error.message}.`);
  }
}

function withRole(role: DestinationRole, credentials: Credentials | undefined): TenantCredentials {
  return credentials === undefined ? {} : { [role]: credentials };
}
