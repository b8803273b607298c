import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { needsProgram } from '@sluice/testkit/needs';
import { canTypeIntoShell, openTypedShell, type TypedShell } from '@sluice/testkit/typed-shell';
import { type FakeApi, sendJson, startFakeApi } from '../fixtures/fake-api.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
const LETTER = {
  id: '42',
  state: 'dead',
  version: '7',
  payload: { eventType: 'Poison', amount: 12.5, note: 'a\u009b\u202eb' },
};
/** Prints what it was given, and writes a new text into the last argument. */
const EDITOR = `#!/bin/sh
for argument in "$@"; do printf 'ARG<%s>\\n' "$argument"; done
for file in "$@"; do :; done
cp "$file" "$SEEN"
printf '%s' "$NEW_TEXT" > "$file"
`;

let folder: string;
let api: FakeApi;
let refuse: boolean;
let shell: TypedShell | null;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-edit-test-'));
  refuse = false;
  shell = null;
  api = await startFakeApi(({ method }, response) => {
    if (method === 'PATCH' && refuse)
      sendJson(response, 409, { error: { code: 'conflict', message: 'Dead letter 42 has changed.', request_id: 'r' } });
    else sendJson(response, 200, LETTER);
  });
});
afterEach(async () => {
  await shell?.close();
  await api.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes an editor into a folder of the test's own. */
function makeEditor(path: string, script = EDITOR): string {
  const file = join(folder, path);
  mkdirSync(resolve(file, '..'), { recursive: true });
  writeFileSync(file, script);
  chmodSync(file, 0o755);
  return file;
}

/** Types `sluice dead-letters edit 42` with these variables, and answers what the terminal shows. */
async function edit(env: Record<string, string>, after = ''): Promise<string> {
  shell = openTypedShell(folder, {
    PATH: process.env['PATH'],
    QUERY_URL: api.url,
    SEEN: join(folder, 'seen'),
    NEW_TEXT: '{"eventType":"Fixed"}',
    ...env,
  });
  return shell.type(`'${process.execPath}' '${MAIN}' dead-letters edit 42 --note fixed${after}`);
}

const argsIn = (shown: string): string[] => [...shown.matchAll(/ARG<(.*)>/g)].map(([, argument]) => argument!);
const sent = (): unknown[] =>
  api.requests.filter(({ method }) => method === 'PATCH').map(({ body }) => JSON.parse(body));

describe.skipIf(!canTypeIntoShell())('dead-letters edit', needsProgram('script of util-linux'), () => {
  it.each([
    ['a program', () => ({ EDITOR: makeEditor('editor') }), []],
    ['a program with arguments', () => ({ EDITOR: `${makeEditor('editor')} --wait -n` }), ['--wait', '-n']],
    ['an argument in quotes', () => ({ EDITOR: `${makeEditor('editor')} 'two words'` }), ['two words']],
    ['a program with spaces in its path', () => ({ EDITOR: makeEditor('an editor/of mine') }), []],
    ['such a program, in quotes, with an argument', () => ({ EDITOR: `"${makeEditor('an editor/b')}" -w` }), ['-w']],
    [
      'a program on PATH',
      () => ({ EDITOR: 'ed-it', PATH: `${resolve(makeEditor('bin/ed-it'), '..')}:/usr/bin:/bin` }),
      [],
    ],
    ['VISUAL before EDITOR', () => ({ VISUAL: makeEditor('editor'), EDITOR: 'false' }), []],
    ['an empty VISUAL', () => ({ VISUAL: '', EDITOR: makeEditor('editor') }), []],
    ['neither: vi', () => ({ PATH: `${resolve(makeEditor('bin/vi'), '..')}:/usr/bin:/bin` }), []],
  ] as [string, () => Record<string, string>, string[]][])(
    'hands the file and nothing else to the editor: %s',
    async (_name, env, before) => {
      const shown = await edit(env());
      const given = argsIn(shown);
      expect(given.slice(0, -1)).toEqual(before);
      expect(given.at(-1)).toMatch(/^\/.*\/sluice-edit-\w+\/dead-letter-42\.json$/);
      expect(shown).toContain('Dead letter 42 has its new payload.');
      expect(shown).not.toMatch(/Warning|\/bin\/sh/);
      expect(sent()).toEqual([{ payload: { eventType: 'Fixed' }, version: '7', note: 'fixed' }]);
    },
  );

  it.each(["it's odd", 'a "quoted" one', '$HOME', '`id`', '$(id)', 'a;b', '-x', 'ünï', 'a\\b'])(
    'writes the file below TMPDIR, whatever it is called: %s',
    async (name) => {
      const temporary = join(folder, name);
      mkdirSync(temporary);
      const given = argsIn(await edit({ EDITOR: makeEditor('editor'), TMPDIR: temporary }));
      expect(given).toEqual([expect.stringContaining(`${temporary}/sluice-edit-`)]);
      expect(readdirSync(temporary)).toEqual([]);
      expect(sent()).toHaveLength(1);
    },
  );

  it('a relative TMPDIR that looks like an option is none', async () => {
    mkdirSync(join(folder, '-R'));
    expect(argsIn(await edit({ EDITOR: makeEditor('editor'), TMPDIR: '-R' }))).toEqual([
      expect.stringContaining(`${folder}/-R/sluice-edit-`),
    ]);
  });

  it('shows in the file every character that an editor may not', async () => {
    await edit({ EDITOR: makeEditor('editor') });
    const seen = readFileSync(join(folder, 'seen'), 'utf8');
    expect(seen).toContain(String.raw`"a\u009b\u202eb"`);
    expect(JSON.parse(seen)).toEqual(LETTER.payload);
  });

  it('changes nothing when the editor changes nothing', async () => {
    const shown = await edit({ EDITOR: 'true', TMPDIR: folder });
    expect(shown).toContain('Nothing was changed.');
    expect(sent()).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['exit 3', /ended with 3; nothing was changed\. EDITOR and VISUAL choose another/],
    ['kill -9 $$', /was ended by SIGKILL; nothing was changed/],
  ])('an editor that ends with "%s" changes nothing', async (script, message) => {
    const shown = await edit({ EDITOR: makeEditor('editor', `#!/bin/sh\n${script}\n`) }, ' || echo "code $?"');
    expect(shown).toMatch(message);
    expect(shown).toContain('code 1');
    expect(sent()).toEqual([]);
  });

  it('an editor that does not exist is named', async () => {
    expect(await edit({ EDITOR: 'no-such-editor' }, ' || echo "code $?"')).toMatch(
      /The editor \(no-such-editor\) ended with 127; nothing was changed/,
    );
  });

  it.each([
    ['is refused', true, '{"eventType":"Fixed"}', 'has changed'],
    ['is not JSON', false, '{"eventType":', 'is not JSON'],
  ])('keeps the text when it %s', async (_name, refused, text, message) => {
    refuse = refused;
    const shown = await edit({ EDITOR: makeEditor('editor'), NEW_TEXT: text }, ' || echo "code $?"');
    expect(shown).toContain(message);
    const [, file] = /Your text is still in (\S+); correct it there and send it with --payload/.exec(shown)!;
    expect(readFileSync(file!, 'utf8')).toBe(text);
    rmSync(resolve(file!, '..'), { recursive: true });
  });

  it('the editor has the terminal when standard output is a pipe', async () => {
    const shown = await edit({ EDITOR: makeEditor('editor') }, ' > result');
    expect(argsIn(shown)).toHaveLength(1);
    expect(readFileSync(join(folder, 'result'), 'utf8')).toMatch(/^Dead letter 42 has its new payload/);
  });
});
