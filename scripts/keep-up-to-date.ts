import { readFile, writeFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';

/**
 * Writes generated files. With `--check` in the arguments it compares them instead: it names each stale file on standard
 * error, and the process exits with 1.
 *
 * @param script name of the script that writes them, for the message
 * @param files pairs of path and text
 */
export async function keepUpToDate(
  argv: readonly string[],
  script: string,
  files: readonly (readonly [path: string, text: string])[],
): Promise<void> {
  for (const [path, text] of files) {
    const present = await readFile(path, 'utf8').catch(() => null);
    if (present === text) continue;
    const name = relative(resolve(import.meta.dirname, '..'), path);
    if (!argv.includes('--check')) {
      await writeFile(path, text);
      process.stdout.write(`${name} is written\n`);
      continue;
    }
    process.stderr.write(`${name} is stale; run: node scripts/${script}.ts\n`);
    process.exitCode = 1;
  }
}
