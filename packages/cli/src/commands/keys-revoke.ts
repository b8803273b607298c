import type { Command } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import { visible } from '@sluice/errors/visible';
import { confirm } from '../confirm.ts';
import type { Output } from '../output.ts';

/** `keys revoke ID`: revokes a key permanently. */
export function addKeysRevokeCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('revoke')
    .description('revoke a key permanently; it stops working everywhere within 30 s')
    .argument('<id>', 'its id, from "./sluice keys list"')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      '\nExamples:\n  ./sluice keys revoke 3f2a9c0d1e4b5a67\n  ./sluice keys revoke 3f2a9c0d1e4b5a67 --yes',
    )
    .action(async (id: string, options: { yes?: boolean }) => {
      const { api, output } = context();
      await confirm(`Revoke key ${id}?`, options.yes === true);
      const key = await api.call('delete', '/api/keys/{id}', { path: { id } });
      const since = key.revoked_at === null ? '' : ` since ${key.revoked_at.slice(0, 19)}`;
      output.result(key, `Key ${id} (${visible(key.name)}) is revoked${since}.`);
    });
}
