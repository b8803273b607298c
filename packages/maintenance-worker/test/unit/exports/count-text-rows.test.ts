import { expect, it } from 'vitest';
import { countCsvRecords, countJsonEvents, countLines } from '../../../src/exports/count-text-rows.ts';

/** A text in pieces of three bytes, so that every border falls somewhere. */
async function* chunks(text: string): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 3) yield bytes.subarray(at, at + 3);
}

const HEADER = 'id,event_id,event_type,session_id,visitor_id,site_id,timestamp,url,path,raw_event_data\n';

it('counts lines of JSON, also with line ends inside of strings', async () => {
  expect(await countLines(chunks('{"a":"ü\\n"}\n{"b":2}\n'))).toBe(2);
  expect(await countLines(chunks(''))).toBe(0);
});

it.each(['{"a":1}\n{"b":\n', '{"a":1}\nnull,\n', '{"a":1}\n{"b":2}', '\n'])('refuses the lines %j', async (text) => {
  await expect(countLines(chunks(text))).rejects.toBeInstanceOf(Error);
});

it('refuses an endless line before it fills the memory', async () => {
  const chunk = Buffer.alloc(1024 * 1024, ' ');
  let given = 0;
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) {
      given += chunk.length;
      yield chunk;
    }
  }
  await expect(countLines(endless())).rejects.toThrow(/a line has more than/);
  expect(given).toBeLessThan(100 * chunk.length);
});

it('counts the events of a JSON file', async () => {
  const text = '{"export_metadata":{},"events":[\n{"a":1},\n{"b":2}\n],"event_count":2}\n';
  expect(JSON.parse(text)).toBeDefined();
  expect(await countJsonEvents(chunks(text))).toBe(2);
});

it.each([
  '{"export_metadata":{},"events":[\n{"a":1},\n{"b":2}\n],"event_count":3}\n',
  '{"export_metadata":{},"events":[\n{"a":1},\n{"b":2}\n',
  '{"export_metadata":{},"events":[\n{"a":1},\n{"b":}\n],"event_count":2}\n',
  '{"export_metadata":{,"events":[\n{"a":1}\n],"event_count":1}\n',
  '',
])('refuses the JSON file %j', async (text) => {
  await expect(countJsonEvents(chunks(text))).rejects.toBeInstanceOf(Error);
});

it('counts records of CSV, with separators, quotes and line ends inside of cells', async () => {
  expect(await countCsvRecords(chunks(`${HEADER}1,a,b,c,d,e,f,g,h,"{""x"":1}"\n2,,,,"a,""b""\nc",,,,,\n`))).toBe(2);
  expect(await countCsvRecords(chunks(HEADER))).toBe(0);
});

it.each([`${HEADER}1,2\n`, `${HEADER}1,a,b,c,d,e,f,g,h,i`, `${HEADER}1,a,b,c,d,e,f,g,h,"i\n`, ''])(
  'refuses the CSV %j',
  async (text) => {
    await expect(countCsvRecords(chunks(text))).rejects.toBeInstanceOf(Error);
  },
);
