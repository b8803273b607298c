import type { Command } from 'commander';
import type { AnswerOf, ApiClient } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { visible } from '@sluice/errors/visible';
import type { CliConfig } from '../config.ts';
import { type ConfigInput, type ConfigOptions, readConfigInput, withConfigOptions } from '../export-config-options.ts';
import { formatFacts, type Output } from '../output.ts';
import { describeSchedule } from './exports-status.ts';

type Config = AnswerOf<'get', '/export/config'>;
type Context = () => { api: ApiClient; output: Output; config: CliConfig };

/** `exports config show|set|test`. */
export function addExportsConfigCommands(exports: Command, context: Context): void {
  const parent = exports.command('config').description('what is exported, when and where to');

  parent
    .command('show')
    .description('the configuration; of credentials only whether they are set')
    .option('--tenant <tenant>', "whose; if not given, the key's, or default")
    .addHelpText('after', '\nExamples:\n  ./sluice exports config show --tenant acme')
    .action(async (query: { tenant?: string }) => {
      const { api, output } = context();
      const config = await api.call('get', '/export/config', { query });
      output.result(config, formatConfig(config));
    });

  withConfigOptions(parent.command('set'))
    .description('change the configuration; what no option names stays as it is')
    .addHelpText(
      'after',
      '\nA secret is never given on the command line: --secret-file names a file, or - for standard input.\n\nExamples:\n  ./sluice exports config set --tenant acme --bucket acme-events --region eu-central-1 --access-key-id AKIA… --secret-file ./secret\n  ./sluice exports config set --schedule daily --format parquet\n  ./sluice exports config set --local acme --schedule "30 2 * * MON-FRI"\n  ./sluice exports config set --tenant acme --file config.json',
    )
    .action(async (options: ConfigOptions) => {
      const { api, output, config } = context();
      const query = { tenant: options.tenant };
      const present = await api.call('get', '/export/config', { query });
      const body = await readConfigInput(options, inputOf(present), config.callerFolder);
      const kept = await api.call('put', '/export/config', { query, body });
      output.result(kept, formatConfig(kept));
      output.note('Try it with "./sluice exports config test".');
    });

  withConfigOptions(parent.command('test'))
    .description('write, read and remove a small file at the destination of exports')
    .addHelpText(
      'after',
      '\nWithout options it tests the stored configuration. It ends with 1 when something is wrong.\n\nExamples:\n  ./sluice exports config test --tenant acme\n  ./sluice exports config test --bucket acme-events --access-key-id AKIA… --secret-file -',
    )
    .action(async (options: ConfigOptions) => {
      const { api, output, config } = context();
      const query = { tenant: options.tenant };
      const given = Object.keys(options).some((name) => name !== 'tenant');
      const present = given ? inputOf(await api.call('get', '/export/config', { query })) : {};
      const body = given ? await readConfigInput(options, present, config.callerFolder) : null;
      const found = await api.call('post', '/export/config/test', { query, body });
      const lines = [found.destination, found.backup].map((each, at) => {
        const role = at === 0 ? 'destination' : 'backup';
        if (each === null) return `${role}: none`;
        return `${role}: ${visible(each.ok ? `${each.label ?? ''} works` : `${each.message ?? ''} [${each.code ?? ''}]`)}`;
      });
      output.result(found, lines.join('\n'));
      if (!found.ok) process.exitCode = EXIT.failed;
    });
}

/** The body of a PUT that changes nothing. A configuration from the server's variables stays with them. */
function inputOf(config: Config): ConfigInput {
  if (config.source === 'environment') return {};
  const { enabled, schedule, format, compression, destination, backup } = config;
  return {
    enabled,
    schedule,
    format,
    compression,
    destination: placeOf(destination),
    backup: backup && placeOf(backup),
  } as ConfigInput;
}

function placeOf(place: Config['destination']): object {
  const { credentials: _kept, ...settings } = place;
  return settings;
}

function formatConfig(config: Config): string {
  const places = [
    ['destination', config.destination],
    ['backup', config.backup],
  ] as const;
  const facts: [string, unknown][] = [
    ['tenant', config.tenant],
    ['from', config.source === 'tenant' ? 'its own configuration' : "the server's variables"],
    [
      'state',
      config.paused === null
        ? config.enabled
          ? 'on'
          : 'off'
        : `PAUSED: ${config.paused.reason} [${config.paused.code}]`,
    ],
    ['schedule', describeSchedule(config.schedule)],
    ['next run', config.next_run_at],
    ['format', config.compression === 'none' ? config.format : `${config.format}, ${config.compression}`],
    ...places.flatMap(([role, place]) => (place === null ? [] : [[role, describePlace(place)] as [string, unknown]])),
  ];
  return formatFacts(facts).join('\n');
}

function describePlace(place: Config['destination']): string {
  const { kind, bucket, prefix, endpoint, credentials } = place;
  if (kind === 'local') return `EXPORT_DIR/${prefix}`;
  const at = endpoint === undefined ? '' : ` at ${endpoint}`;
  const key =
    credentials?.set === true
      ? (credentials.problem ?? `with ${credentials.access_key_id ?? 'a key'}`)
      : "with the server's identity";
  return `s3://${bucket ?? ''}/${prefix}${at}, ${key}`;
}
