import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ConfigInput, type ConfigOptions, readConfigInput } from '../../src/export-config-options.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
writeFileSync(join(folder, 'secret'), 'the secret\n');
writeFileSync(join(folder, 'broken.json'), '{');
const PRESENT: ConfigInput = { format: 'csv', destination: { kind: 's3', bucket: 'acme', prefix: 'raw' } };
const read = (options: ConfigOptions, present = PRESENT) => readConfigInput(options, present, folder);

describe('readConfigInput', () => {
  it.each([
    ['leaves what no option names', { tenant: 'acme' }, PRESENT],
    ['changes one property', { format: 'json' }, { ...PRESENT, format: 'json' }],
    [
      'changes one property of the bucket',
      { prefix: '' },
      { ...PRESENT, destination: { ...PRESENT.destination, prefix: '' } },
    ],
    [
      'goes from a bucket to a folder',
      { local: 'acme' },
      { ...PRESENT, destination: { kind: 'local', prefix: 'acme' } },
    ],
    ['turns off', { disable: true }, { ...PRESENT, enabled: false }],
    ['takes a word as schedule', { schedule: 'hourly' }, { ...PRESENT, schedule: 'hourly' }],
    ['takes JSON as schedule', { schedule: '{"every_events":5}' }, { ...PRESENT, schedule: { every_events: 5 } }],
    [
      'reads the secret from a file',
      { accessKeyId: 'AKIA', secretFile: 'secret' },
      {
        ...PRESENT,
        destination: {
          ...PRESENT.destination,
          credentials: { access_key_id: 'AKIA', secret_access_key: 'the secret' },
        },
      },
    ],
  ] as [string, ConfigOptions, ConfigInput][])('%s', async (_what, options, input) => {
    expect(await read(options)).toEqual(input);
  });

  it.each([
    [{ schedule: '{' }, /not JSON/],
    [{ file: 'broken.json' }, /not JSON/],
    [{ file: 'nowhere' }, /nowhere cannot be read/],
    [{ local: 'x', bucket: 'y' }, /--local or options of a bucket, not both/],
    [{ accessKeyId: 'x' }, /both --access-key-id and --secret-file/],
    [{ secretFile: 'secret' }, /both --access-key-id and --secret-file/],
    [{ enable: true, disable: true }, /not both/],
    [{ file: 'x', enable: true }, /not both/],
  ] as [ConfigOptions, RegExp][])('%j is a mistake', async (options, message) => {
    await expect(read(options)).rejects.toThrow(message);
  });

  it('a property of a bucket needs the bucket', async () => {
    await expect(read({ region: 'eu-central-1' }, { destination: { kind: 'local', prefix: 'x' } })).rejects.toThrow(
      /Give --bucket/,
    );
  });
});
