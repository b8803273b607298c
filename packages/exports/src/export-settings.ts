import type { Static, TObject } from 'typebox';
import { ConfigError } from '@sluice/daemon/config/config-error';
import { findDestinationFault } from './check-destination.ts';
import type { Credentials, DestinationSettings } from './destination.ts';
import type { ExportFormat } from './export-formats.ts';
import { type ExportSchedule, parseSchedule } from './export-schedule.ts';
import type { exportVariables } from './export-variables.ts';
import { parseSealingKeys, type SealingKeys } from './sealed-secrets.ts';

/** The variables of exports, checked and in the shapes that code works with. */
export interface ExportSettings {
  /** Folder that holds all local destinations. */
  readonly exportDir: string;
  readonly allowPrivate: boolean;
  readonly keys: SealingKeys;
  /** Whether CSV is safe to open in a spreadsheet, at the price of a `'` in front of some cells. */
  readonly csvEscapeFormulas: boolean;
  /** For tenants without a configuration of their own. */
  readonly defaults: {
    /** Whether these are exported by schedule: only when CLIENT_S3_BUCKET is set, so that no disk fills unasked. */
    readonly enabled: boolean;
    readonly schedule: ExportSchedule;
    readonly format: ExportFormat;
    readonly destination: DestinationSettings;
    readonly backup: DestinationSettings | null;
    /** Of destination and backup; null for the AWS SDK's own chain. */
    readonly credentials: Credentials | null;
  };
}

type Values = Static<TObject<typeof exportVariables>>;

/** Checks the variables of exports. @throws ConfigError naming every mistake, and no secret */
export function readExportSettings(values: Values): ExportSettings {
  const problems: string[] = [];
  const allowPrivate = values.EXPORT_ALLOW_PRIVATE;
  const bucket = (name: string): DestinationSettings => ({
    kind: 's3',
    bucket: name,
    prefix: values.CLIENT_S3_PREFIX,
    ...(values.CLIENT_S3_REGION === undefined ? {} : { region: values.CLIENT_S3_REGION }),
    ...(values.CLIENT_S3_ENDPOINT === undefined ? {} : { endpoint: values.CLIENT_S3_ENDPOINT }),
    ...(values.CLIENT_S3_PATH_STYLE ? { path_style: true } : {}),
  });
  const { CLIENT_S3_BUCKET: client, S3_BACKUP_BUCKET: second } = values;
  const { CLIENT_S3_ACCESS_KEY: access, CLIENT_S3_SECRET_KEY: secret } = values;
  const destination: DestinationSettings = client === undefined ? { kind: 'local', prefix: '' } : bucket(client);
  const backup = second === undefined ? null : bucket(second);
  // The operator sets the variables, and may name an endpoint in a private network.
  for (const [settings, variable] of [
    [destination, 'CLIENT_S3_BUCKET'],
    [backup, 'S3_BACKUP_BUCKET'],
  ] as const) {
    const found = settings === null ? null : findDestinationFault(settings, { allowPrivate: true });
    if (found === null) continue;
    problems.push(`${found.field === 'bucket' ? variable : `CLIENT_S3_${found.field.toUpperCase()}`} ${found.fault}`);
  }
  if (second !== undefined && client === undefined) problems.push('S3_BACKUP_BUCKET needs CLIENT_S3_BUCKET');
  if ((access === undefined) !== (secret === undefined)) {
    problems.push('CLIENT_S3_ACCESS_KEY and CLIENT_S3_SECRET_KEY must both be set, or neither');
  }
  const schedule = orProblem(() => parseSchedule(values.EXPORT_SCHEDULE), 'EXPORT_SCHEDULE', problems);
  const keys = orProblem(() => parseSealingKeys(values.EXPORT_ENCRYPTION_KEYS), '', problems);
  if (problems.length > 0 || schedule === null || keys === null) throw new ConfigError([...new Set(problems)]);
  return {
    exportDir: values.EXPORT_DIR,
    allowPrivate,
    keys,
    csvEscapeFormulas: values.EXPORT_CSV_ESCAPE_FORMULAS,
    defaults: {
      enabled: client !== undefined,
      schedule,
      format: values.EXPORT_FORMAT,
      destination,
      backup,
      credentials:
        access === undefined || secret === undefined ? null : { access_key_id: access, secret_access_key: secret },
    },
  };
}

function orProblem<T>(read: () => T, variable: string, problems: string[]): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigError) problems.push(...error.problems);
    else if (error instanceof RangeError) problems.push(`${variable} ${error.message}`);
    else throw error;
    return null;
  }
}
