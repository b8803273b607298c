import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Command, Option } from 'commander';
import { CommandError } from '@sluice/api-client/api-client';
import type { paths } from '@sluice/api-client/api-types';
import { EXPORT_COMPRESSIONS, EXPORT_FORMATS } from '@sluice/api-client/choices';
import { EXIT } from '@sluice/api-client/exit-codes';

/** The body of `PUT /export/config`. */
export type ConfigInput = paths['/export/config']['put']['requestBody']['content']['application/json'];

/** A configuration as options of the command line. */
export interface ConfigOptions {
  tenant?: string;
  file?: string;
  schedule?: string;
  format?: string;
  compression?: string;
  enable?: boolean;
  disable?: boolean;
  local?: string;
  bucket?: string;
  prefix?: string;
  region?: string;
  endpoint?: string;
  pathStyle?: boolean;
  accessKeyId?: string;
  secretFile?: string;
}

/** Adds the options of a configuration. They are the same for every command that accepts one. */
export function withConfigOptions(command: Command): Command {
  return command
    .option('--tenant <tenant>', "whose; if not given, the key's, or default")
    .option('--file <file>', 'the whole configuration as JSON, in the form of the API; - for standard input')
    .option('--schedule <schedule>', 'hourly, daily, realtime, manual, threshold:N, a cron line, or JSON')
    .addOption(new Option('--format <format>').choices(EXPORT_FORMATS))
    .addOption(new Option('--compression <compression>').choices(EXPORT_COMPRESSIONS))
    .option('--enable', 'export by schedule')
    .option('--disable', 'export on demand only')
    .option('--local <folder>', 'to a folder below EXPORT_DIR')
    .option('--bucket <bucket>', 'to a bucket')
    .option('--prefix <prefix>', 'start of every key')
    .option('--region <region>', 'of the bucket')
    .option('--endpoint <url>', 'an S3-compatible server')
    .option('--path-style', 'the bucket is in the path, not in the host name')
    .option('--access-key-id <id>', 'the access key; --secret-file gives its secret')
    .option('--secret-file <file>', 'contains the secret access key; - for standard input');
}

/**
 * Reads a configuration from options. What no option names stays as in `present`.
 *
 * @throws CommandError when options contradict each other, and when a file can't be read
 */
export async function readConfigInput(
  options: ConfigOptions,
  present: ConfigInput,
  folder: string,
): Promise<ConfigInput> {
  const { tenant: _whose, file, ...others } = options;
  if (file !== undefined) {
    if (Object.keys(others).length > 0) throw new CommandError('Give --file or single options, not both.', EXIT.usage);
    return parseJson(await readInput(file, folder), file) as ConfigInput;
  }
  if (options.enable && options.disable) throw new CommandError('Give --enable or --disable, not both.', EXIT.usage);
  const destination = await readDestination(options, present.destination, folder);
  return {
    ...present,
    ...(options.enable ? { enabled: true } : options.disable ? { enabled: false } : {}),
    ...(options.schedule === undefined ? {} : { schedule: parseSchedule(options.schedule) }),
    ...(options.format === undefined ? {} : { format: options.format }),
    ...(options.compression === undefined ? {} : { compression: options.compression }),
    ...(destination === undefined ? {} : { destination }),
  } as ConfigInput;
}

async function readDestination(
  options: ConfigOptions,
  present: ConfigInput['destination'],
  folder: string,
): Promise<object | undefined> {
  const { local, bucket, prefix, region, endpoint, pathStyle, accessKeyId, secretFile } = options;
  const named = { bucket, prefix, region, endpoint, path_style: pathStyle };
  const given = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
  const credentials = await readCredentials(accessKeyId, secretFile, folder);
  if (local !== undefined) {
    if (Object.keys(given).length > 0 || credentials !== undefined) {
      throw new CommandError('Give --local or options of a bucket, not both.', EXIT.usage);
    }
    return { kind: 'local', prefix: local };
  }
  if (Object.keys(given).length === 0 && credentials === undefined) return undefined;
  if (bucket === undefined && present?.kind !== 's3') {
    throw new CommandError('Which bucket? Give --bucket.', EXIT.usage);
  }
  return {
    ...(present?.kind === 's3' ? present : {}),
    kind: 's3',
    ...given,
    ...(credentials === undefined ? {} : { credentials }),
  };
}

async function readCredentials(
  accessKeyId: string | undefined,
  secretFile: string | undefined,
  folder: string,
): Promise<object | undefined> {
  if (accessKeyId === undefined && secretFile === undefined) return undefined;
  if (accessKeyId === undefined || secretFile === undefined) {
    throw new CommandError('Give both --access-key-id and --secret-file, or neither.', EXIT.usage);
  }
  return { access_key_id: accessKeyId, secret_access_key: (await readInput(secretFile, folder)).trim() };
}

async function readInput(file: string, folder: string): Promise<string> {
  if (file === '-') return text(process.stdin);
  try {
    return await readFile(resolve(folder, file), 'utf8');
  } catch (error) {
    throw new CommandError(`${file} cannot be read: ${(error as Error).message}`, EXIT.usage);
  }
}

/** Parses a schedule given as a JSON object. Anything else is a word or a cron line, which the API checks. */
function parseSchedule(given: string): unknown {
  return given.trimStart().startsWith('{') ? parseJson(given, '--schedule') : given;
}

function parseJson(given: string, from: string): unknown {
  try {
    return JSON.parse(given) as unknown;
  } catch (error) {
    throw new CommandError(`${from} is not JSON: ${(error as Error).message}`, EXIT.usage);
  }
}
