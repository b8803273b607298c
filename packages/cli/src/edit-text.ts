import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CommandError } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { visible } from '@sluice/errors/visible';

/** A text in an editor's file. */
export interface EditedText {
  /** The new text; null when the editor left it unchanged. */
  readonly text: string | null;
  /** Where the text lies, until `remove`: only the caller may read the file. */
  readonly file: string;
  readonly remove: () => void;
}

/**
 * Opens a text in the user's editor, and waits for its end. The editor is handed the file and nothing else.
 *
 * @param editor a program, or a command of the shell such as `code --wait`
 * @param name of the file
 * @throws CommandError when there is no folder to write to, or the editor fails
 */
export function editText(editor: string, name: string, text: string): EditedText {
  const folder = makeFolder();
  const file = join(folder, name);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    writeFileSync(file, text, { mode: 0o600 });
    runEditor(editor, file);
    const after = readFileSync(file, 'utf8');
    return { text: after === text ? null : after, file, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function makeFolder(): string {
  try {
    // Absolute: a path that starts with "-" would be an option of the editor.
    return mkdtempSync(join(resolve(tmpdir()), 'sluice-edit-'));
  } catch (error) {
    throw new CommandError(`No file for the editor can be made (TMPDIR): ${(error as Error).message}`, EXIT.failed);
  }
}

/** Leaves Ctrl-C to the editor. */
function ignore(): void {}

function runEditor(editor: string, file: string): void {
  // Ctrl-C is for the editor; without a listener it would end this process under the editor.
  process.on('SIGINT', ignore);
  // An editor writes its screen to standard output, which may be a pipe: `sluice --json dead-letters edit 42 | jq`.
  const stdio = ['inherit', process.stdout.isTTY ? 'inherit' : 2, 'inherit'] as const;
  const [program, ...args] = commandFor(editor, file);
  const { status, signal, error } = spawnSync(program, args, {
    stdio: [...stdio],
    windowsVerbatimArguments: process.platform === 'win32',
  });
  process.off('SIGINT', ignore);
  if (status === 0) return;
  const how = error?.message ?? (signal === null ? `ended with ${status}` : `was ended by ${signal}`);
  throw new CommandError(
    `The editor (${visible(editor)}) ${how}; nothing was changed. EDITOR and VISUAL choose another.`,
    EXIT.failed,
  );
}

/**
 * How to start the editor on a file. What is a program as a whole, perhaps with spaces in its path, is run as it is.
 * Anything else is a command of the shell, because EDITOR may contain arguments; the file is passed as an argument, so
 * that the shell does not read its name.
 */
function commandFor(editor: string, file: string): readonly [program: string, ...args: string[]] {
  if (isProgram(editor)) return process.platform === 'win32' ? [editor, `"${file}"`] : [editor, file];
  if (process.platform === 'win32') return ['cmd', '/d', '/s', '/c', `"${editor} "${file}""`];
  return ['/bin/sh', '-c', `${editor} "$1"`, 'sluice', file];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return /[/\\]/.test(path) && statSync(path).isFile();
  } catch {
    return false;
  }
}
