import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

/** A page of the repository. */
export interface Page {
  /** From the root. */
  readonly path: string;
  readonly text: string;
  /** The text without its fenced blocks. */
  readonly prose: string;
  /** The fenced blocks, without their fences. */
  readonly blocks: readonly { readonly language: string; readonly code: string }[];
}

/** Reads every Markdown file, without those of installed packages. */
export function markdownFiles(): Page[] {
  const paths = globSync(['*.md', '.github/**/*.md', '{docs,packages,tests,deploy,examples,scripts}/**/*.md'], {
    cwd: ROOT,
    exclude: (name) => name.includes('node_modules'),
  });
  return paths.toSorted().map(readPage);
}

/** @param path from the root */
export function readPage(path: string): Page {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const blocks = [...text.matchAll(/^```(.*)\n([^]*?)^```$/gm)].map(([, language = '', code = '']) => ({
    language,
    code,
  }));
  return { path, text, prose: text.replaceAll(/^```.*\n[^]*?^```$/gm, ''), blocks };
}
