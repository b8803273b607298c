import { expect, it } from 'vitest';
import { parseTraceDemoOptions } from '../../src/trace-demo-options.ts';

it('accepts the pages of a Jaeger, without the slash at the end', () => {
  expect(parseTraceDemoOptions([])).toEqual({ help: false, json: false, install: true, jaeger: undefined });
  expect(parseTraceDemoOptions(['--no-install'])).toMatchObject({ install: false });
  expect(parseTraceDemoOptions(['--jaeger', 'https://jaeger.example.com/ui/'])).toMatchObject({
    jaeger: 'https://jaeger.example.com/ui',
  });
});

it.each(['jaeger:16686', 'http://', 'ftp://host', ''])('--jaeger "%s" is no URL', (url) => {
  expect(() => parseTraceDemoOptions([`--jaeger=${url}`])).toThrow('must be a URL such as http://127.0.0.1:16686');
});
