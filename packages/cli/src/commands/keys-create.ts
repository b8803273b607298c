import { type Command, Option } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { SCOPES, type Scope } from '@sluice/api-client/choices';
import { visible } from '@sluice/errors/visible';
import type { Output } from '../output.ts';
import { timeAhead } from '../time-option.ts';
import { wholeNumber } from '../whole-number.ts';

interface CreateOptions {
  scope: Scope[];
  tenant?: string;
  expires?: string;
  requestsPerMinute?: number;
  eventsPerSecond?: number;
}

/** `keys create NAME --scope …`: makes a key, and shows it once. */
export function addKeysCreateCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('create')
    .description('make an API key; it is shown once, and stored as a hash')
    .argument('<name>', 'a name for people')
    .addOption(
      new Option('--scope <scopes...>', 'what it may do; no scope includes another')
        .choices(SCOPES)
        .makeOptionMandatory(),
    )
    .option('--tenant <tenant>', 'whose events; if not given, those of the key that makes it: all, for API_KEY')
    .option('--expires <time>', 'when it ends: ISO 8601, or a time from now such as 12h, 90d', timeAhead)
    .option('--requests-per-minute <n>', 'its own limit at the query API; 0 for none', wholeNumber)
    .option('--events-per-second <n>', 'its own quota at ingest; 0 for none', wholeNumber)
    .addHelpText(
      'after',
      '\nExamples:\n  ./sluice keys create add-in --scope ingest --tenant acme\n  ./sluice keys create dashboard --scope read --expires 90d',
    )
    .action(async (name: string, options: CreateOptions) => {
      const { api, output } = context();
      const made = await api.call('post', '/api/keys', {
        body: {
          name,
          scopes: options.scope,
          tenant: options.tenant,
          expires_at: options.expires,
          requests_per_minute: options.requestsPerMinute,
          events_per_second: options.eventsPerSecond,
        },
      });
      output.result(made, visible(made.key));
      output.note(`Key ${visible(made.id)} works everywhere within 30 s. Keep it safe: it cannot be shown again.`);
    });
}
