import { expect, it } from 'vitest';
import { meantName } from '../../../src/config/misspelt-name.ts';

const KNOWN = [
  'HOST',
  'API_KEY',
  'API_KEYS',
  'LOG_LEVEL',
  'REDIS_URL',
  'DATABASE_URL',
  'INGEST_PORT',
  'WRITER_BATCH_EVENTS',
  'RETENTION_DAYS',
];

it.each([
  ['DATABSE_URL', 'DATABASE_URL'],
  ['DATABASE_URI', 'DATABASE_URL'],
  ['DATABASEURL', 'DATABASE_URL'],
  ['DATABASE-URL', 'DATABASE_URL'],
  ['DATABASE_ULR', 'DATABASE_URL'],
  ['database_url', 'DATABASE_URL'],
  ['WRITER_BATCH_EVENT', 'WRITER_BATCH_EVENTS'],
  ['WRITTER_BATCH_EVENT', 'WRITER_BATCH_EVENTS'],
  ['RETENTION_DAY', 'RETENTION_DAYS'],
  ['LOG_LEVLE', 'LOG_LEVEL'],
  ['LOGLEVEL', 'LOG_LEVEL'],
  ['REDIS_URI', 'REDIS_URL'],
  ['APIKEY', 'API_KEY'],
  ['API_KYE', 'API_KEY'],
  ['APIKEYS', 'API_KEYS'],
])('%s was meant to be %s', (name, meant) => {
  expect(meantName(name, KNOWN)).toBe(meant);
});

it.each([
  ...KNOWN,
  'HOSTS',
  'POST',
  'host',
  'APP_KEY',
  'REDIS_DB',
  'REDIS_CLI',
  'INGRESS_PORT',
  'DATA_URL',
  'DATABASE_NAME',
  'LOG_FILE',
  '',
])('%s is meant as it is', (name) => {
  expect(meantName(name, KNOWN)).toBeNull();
});
