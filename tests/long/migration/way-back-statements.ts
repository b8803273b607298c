import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

const PAGE = resolve(import.meta.dirname, '../../../docs/operate/upgrade-to-0.2.0.md');

/** The SQL that the page about the upgrade has below "The way back". */
export async function wayBackStatements(): Promise<string[]> {
  const [, section = ''] = (await readFile(PAGE, 'utf8')).split('\n## The way back\n');
  const blocks = [...section.split('\n## ')[0]!.matchAll(/^ *```sql\n([^]*?)^ *```/gm)].map(([, text]) => text!);
  if (blocks.length === 0) throw new Error(`${PAGE} has no SQL for the way back`);
  return blocks;
}
