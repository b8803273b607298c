import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { countEvents, readEventsFile } from '../../src/read-events-file.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

async function fileOf(content: string | Buffer, name = 'events.ndjson'): Promise<string> {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, content);
  return path;
}

const LINES = '\uFEFF{"eventId":"a"}\r\n\n   \n{"eventId":"b","comment":"one\u2028line"}\n{"noId":true}';
const EVENTS = [
  { text: '{"eventId":"a"}', eventId: 'a' },
  { text: '{"eventId":"b","comment":"one\u2028line"}', eventId: 'b' },
  { text: '{"noId":true}', eventId: undefined },
];

test.for([
  ['plain', LINES],
  ['gzip', gzipSync(LINES)],
  ['gzip in several members', Buffer.concat([gzipSync(LINES.slice(0, 30)), gzipSync(LINES.slice(30))])],
] as const)('reads a %s file: without its byte order mark and blank lines, texts as they are', async ([, content]) => {
  expect(await Array.fromAsync(readEventsFile(await fileOf(content)))).toEqual(EVENTS);
});

test('reads characters and lines that lie across two reads', async () => {
  const events = Array.from(
    { length: 5_000 },
    (_, index) => `{"eventId":"${index}","comment":"ünïcödé ${'é'.repeat(50)}"}`,
  );
  expect(await countEvents(await fileOf(events.join('\n')))).toBe(5_000);
});

test.for([
  ['{"a":1}\n{"a":\n', /events\.ndjson: line 2 is not valid JSON: /],
  ['\n\n[1]\n', /events\.ndjson: line 3 is not a JSON object$/],
  ['null', /line 1 is not a JSON object$/],
  [Buffer.from('{"a":"\xff"}\n', 'latin1'), /events\.ndjson cannot be read: it is not UTF-8$/],
  [gzipSync(LINES).subarray(0, 40), /events\.ndjson cannot be read.*: unexpected end of file$/],
  ['\n\n', /events\.ndjson holds no events$/],
  ['', /events\.ndjson holds no events$/],
] as const)('names what is wrong with %j', async ([content, message]) => {
  await expect(countEvents(await fileOf(content))).rejects.toThrow(message);
});

test('names a file that is not there, and a folder', async () => {
  const folder = await temporaryFolder();
  await expect(countEvents(join(folder, 'none.gz'))).rejects.toThrow(/none\.gz: there is no such file$/);
  await expect(countEvents(folder)).rejects.toThrow(`${folder} is a folder, not a file`);
});
