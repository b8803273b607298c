import type { Command } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import type { CliConfig } from './config.ts';
import type { Output } from './output.ts';

/** Gives a command its surroundings, once the options are read. */
export type Context = () => { config: CliConfig; api: ApiClient; output: Output };

type Add = (parent: Command, context: Context) => void;

interface Group {
  readonly description: string;
  /** By name, in the order of the help. A file that adds several commands is listed once for each. */
  readonly commands: Readonly<Record<string, () => Promise<Add>>>;
}

const GROUPS: Readonly<Record<string, Group>> = {
  'dead-letters': {
    description: 'events that failed: inspect, fix, replay, discard',
    commands: {
      list: async () => (await import('./commands/dead-letters-list.ts')).addListCommand,
      show: async () => (await import('./commands/dead-letters-show.ts')).addShowCommand,
      edit: async () => (await import('./commands/dead-letters-edit.ts')).addEditCommand,
      replay: async () => (await import('./commands/dead-letters-replay.ts')).addReplayCommand,
      discard: async () => (await import('./commands/dead-letters-discard.ts')).addDiscardCommand,
      export: async () => (await import('./commands/dead-letters-export.ts')).addExportCommand,
    },
  },
  exports: {
    description: 'files of events, by schedule and on demand',
    commands: {
      run: async () => (await import('./commands/exports-run.ts')).addExportsRunCommand,
      status: async () => (await import('./commands/exports-status.ts')).addExportsStatusCommand,
      list: async () => (await import('./commands/exports-list.ts')).addExportsListCommand,
      show: async () => (await import('./commands/exports-show.ts')).addExportsShowCommand,
      verify: async () => (await import('./commands/exports-verify.ts')).addExportsVerifyCommand,
      retry: async () => (await import('./commands/exports-steer.ts')).addExportsSteerCommands,
      cancel: async () => (await import('./commands/exports-steer.ts')).addExportsSteerCommands,
      config: async () => (await import('./commands/exports-config.ts')).addExportsConfigCommands,
    },
  },
  jobs: {
    description: 'what maintenance workers run, and when',
    commands: {
      list: async () => (await import('./commands/jobs-list.ts')).addJobsListCommand,
      run: async () => (await import('./commands/jobs-run.ts')).addJobsRunCommand,
      history: async () => (await import('./commands/jobs-history.ts')).addJobsHistoryCommand,
    },
  },
  keys: {
    description: 'API keys and what each may do',
    commands: {
      create: async () => (await import('./commands/keys-create.ts')).addKeysCreateCommand,
      list: async () => (await import('./commands/keys-list.ts')).addKeysListCommand,
      revoke: async () => (await import('./commands/keys-revoke.ts')).addKeysRevokeCommand,
    },
  },
  queue: {
    description: 'entries that stall a writer',
    commands: {
      'set-aside': async () => (await import('./commands/queue-set-aside.ts')).addSetAsideCommand,
    },
  },
  retention: {
    description: 'how long the events of a tenant are stored',
    commands: {
      list: async () => (await import('./commands/retention-list.ts')).addRetentionListCommand,
      set: async () => (await import('./commands/retention-set.ts')).addRetentionSetCommand,
      clear: async () => (await import('./commands/retention-clear.ts')).addRetentionClearCommand,
    },
  },
};

/**
 * Adds the groups, but loads only the commands that the arguments ask for. That is one command, or all of a group for
 * its help and for a misspelt name. Loading every command takes several times as long as starting Node.
 *
 * @param args the arguments without the options of `program` itself, e.g. `dead-letters`, `list`
 */
export async function loadCommands(program: Command, context: Context, args: readonly string[]): Promise<void> {
  const [first, second] = args[0] === 'help' ? args.slice(1) : args;
  const asked = Object.hasOwn(GROUPS, first ?? '') ? first : undefined;
  if (asked === undefined) {
    (await import('./commands/status.ts')).addStatusCommand(program, context);
    (await import('./commands/migrate.ts')).addMigrateCommand(program);
  }
  for (const [name, { description, commands }] of Object.entries(GROUPS)) {
    const parent = program.command(name).description(description);
    if (name !== asked) continue;
    const one = Object.hasOwn(commands, second ?? '') ? commands[second!] : undefined;
    const adds = await Promise.all((one === undefined ? Object.values(commands) : [one]).map((load) => load()));
    for (const add of new Set(adds)) add(parent, context);
  }
}
