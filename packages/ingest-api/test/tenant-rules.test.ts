import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import { type Answer, get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';
import { sendRaw } from '@sluice/testkit/raw-http';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const MASTER = { 'x-api-key': 'master-key' };
const ACME = { 'x-api-key': 'acme-key' };
/** Values that a program may confuse with a known name, or with no name. */
const ODD_NAMES = ['', ' ', ['acme'], ['docs'], { acme: 1 }, 0, 1, true, false, 'ACME', 'acme ', '*', 'docs,acme'];
const INHERITED = ['constructor', 'toString', 'hasOwnProperty', 'valueOf', 'length', 'undefined', 'null'];

let ingest: TestIngest;

beforeAll(async () => {
  ingest = await startIngest({
    API_KEY: 'master-key',
    API_KEYS: `acme:${sha256('acme-key')},rival:${sha256('rival-key').toUpperCase()},acme:${sha256('second-key')}`,
    COLLECT_SITES: 'docs,blog',
  });
});
afterAll(() => ingest.stop());
beforeEach(() => ingest.clear());

const sendOne = (headers: Record<string, string>, event = {}): Promise<Answer> =>
  ingest.send({ events: [makeEvent(event)] }, headers);
const tenants = async (): Promise<string[]> => (await ingest.entries()).map(({ header }) => header.tenant);

/** Fails unless the request is refused with this code and nothing is queued for any tenant. */
async function expectRefusal(answer: Promise<Answer>, code: 'unauthorized' | 'tenant_mismatch'): Promise<void> {
  expectError(await answer, code);
  expect(await ingest.entries()).toEqual([]);
}

describe('a key', () => {
  it.each([
    ['the one of API_KEY', MASTER, 'default'],
    ['one of API_KEYS', ACME, 'acme'],
    ['a second one of the same tenant', { 'x-api-key': 'second-key' }, 'acme'],
    ['one whose hash is in upper case', { 'x-api-key': 'rival-key' }, 'rival'],
    ['as a bearer token', { authorization: 'Bearer acme-key' }, 'acme'],
    ['as a bearer token with unusual case and spaces', { authorization: 'bEARER   acme-key' }, 'acme'],
    ['with white space around it, which HTTP removes', { 'x-api-key': '  acme-key\t' }, 'acme'],
  ])('%s decides the tenant', async (_which, headers, tenant) => {
    expect((await sendOne(headers)).status).toBe(202);
    expect(await tenants()).toEqual([tenant]);
  });

  it.each<[string, Record<string, string>]>([
    ['none', {}],
    ['an empty one', { 'x-api-key': '' }],
    ['white space', { 'x-api-key': '  ' }],
    ['one in another case', { 'x-api-key': 'ACME-KEY' }],
    ['one followed by something else', { 'x-api-key': 'acme-key x' }],
    ['the start of one', { 'x-api-key': 'acme-ke' }],
    ['the hash of one', { 'x-api-key': sha256('acme-key') }],
    ['the entry of one', { 'x-api-key': `acme:${sha256('acme-key')}` }],
    ['two in one header', { 'x-api-key': 'acme-key, rival-key' }],
    ['the word Bearer', { authorization: 'Bearer' }],
    ['another scheme', { authorization: `Basic ${Buffer.from('acme:acme-key').toString('base64')}` }],
    ['no scheme', { authorization: 'acme-key' }],
    ['two bearer tokens', { authorization: 'Bearer acme-key rival-key' }],
    ['a wrong one beside a right bearer token', { 'x-api-key': 'wrong', authorization: 'Bearer acme-key' }],
    ...INHERITED.map((name) => [`the name ${name}`, { 'x-api-key': name }] as [string, Record<string, string>]),
  ])('%s is answered with 401', async (_which, headers) => {
    const answer = await sendOne(headers);
    expectError(answer, 'unauthorized');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(await ingest.entries()).toEqual([]);
  });

  it('sent twice, or as two headers of one name, is refused or is one tenant’s', async () => {
    const body = JSON.stringify({ events: [makeEvent()] });
    const head = `POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
    const raw = (headers: string) => sendRaw(ingest.url, `${head}\r\n${headers}\r\n\r\n${body}`);
    expectError(await raw('X-API-Key: acme-key\r\nX-API-Key: rival-key'), 'unauthorized');
    expectError(await raw('X-API-Key: acme-key\r\nx-api-key: acme-key'), 'unauthorized');
    // Node takes the first of two Authorization headers.
    await raw('Authorization: Bearer acme-key\r\nAuthorization: Bearer rival-key');
    expect(await tenants()).toEqual(['acme']);
  });

  it('in X-API-Key takes precedence over a bearer token of another tenant', async () => {
    expect((await sendOne({ ...ACME, authorization: 'Bearer rival-key' })).status).toBe(202);
    expect(await tenants()).toEqual(['acme']);
  });

  it('in a query or in the body is ignored', async () => {
    const body = { events: [makeEvent({ 'x-api-key': 'acme-key' })], api_key: 'acme-key' };
    expectError(await ingest.send(body), 'unauthorized');
    const query = 'x-api-key=acme-key&api_key=acme-key';
    expectError(await get(`${ingest.url}/collect?${query}`), 'unauthorized');
    expect(await ingest.entries()).toEqual([]);
  });
});

describe('the tenant that a batch names', () => {
  it.each(['acme', null, undefined])('%j does not contradict the key of acme', async (tenant) => {
    expect((await ingest.send({ tenant, events: [makeEvent({ tenant })] }, ACME)).status).toBe(202);
    expect(await tenants()).toEqual(['acme']);
  });

  it.each(['rival', 'default', ...ODD_NAMES, ...INHERITED])('%j is answered with 403', async (tenant) => {
    await expectRefusal(ingest.send({ tenant, events: [makeEvent()] }, ACME), 'tenant_mismatch');
    await expectRefusal(ingest.send({ events: [makeEvent(), makeEvent({ tenant })] }, ACME), 'tenant_mismatch');
    await expectRefusal(ingest.collect({ siteId: 'acme', tenant }, ACME), 'tenant_mismatch');
  });

  it('is the last of two keys, which is the one that readers see', async () => {
    const event = JSON.stringify(makeEvent()).slice(0, -1);
    await expectRefusal(
      ingest.send(`{"events":[${event},"tenant":"acme","tenant":"rival"}]}`, ACME),
      'tenant_mismatch',
    );
    expect((await ingest.send(`{"events":[${event},"tenant":"rival","tenant":"acme"}]}`, ACME)).status).toBe(202);
    expect(await tenants()).toEqual(['acme']);
  });

  it('cannot be chosen with headers, nor with the key of API_KEY', async () => {
    const tricks = { 'x-tenant': 'rival', 'x-tenant-id': 'rival', 'x-site-id': 'rival', 'x-forwarded-user': 'rival' };
    expect((await sendOne({ ...ACME, ...tricks })).status).toBe(202);
    expect(await tenants()).toEqual(['acme']);
    await ingest.clear();
    await expectRefusal(sendOne(MASTER, { tenant: 'acme' }), 'tenant_mismatch');
  });
});

describe('/collect', () => {
  it.each(['docs', 'blog'])('of the listed site %s needs no key; the site is the tenant', async (siteId) => {
    expect((await ingest.collect({ siteId })).status).toBe(202);
    expect((await get(`${ingest.url}/collect?siteId=${siteId}`)).status).toBe(202);
    expect((await get(`${ingest.url}/pixel.gif?siteId=${siteId}`)).status).toBe(202);
    expect(await tenants()).toEqual([siteId, siteId, siteId]);
  });

  it.each([undefined, null, 'acme', 'default', 'DOCS', 'doc', 'docs ', ...ODD_NAMES, ...INHERITED])(
    'of the site %j without a key is answered with 401',
    async (siteId) => expectRefusal(ingest.collect({ siteId }), 'unauthorized'),
  );

  it.each(['siteId=acme', 'siteId=docs&siteId=acme', 'siteId[]=docs', 'siteId', 'siteid=docs', 'siteId=docs%00'])(
    '?%s without a key is answered with 401',
    async (query) => {
      await expectRefusal(get(`${ingest.url}/collect?${query}`), 'unauthorized');
      expect((await get(`${ingest.url}/pixel.gif?${query}`)).status).toBe(401);
      expect(await ingest.entries()).toEqual([]);
    },
  );

  it('of a listed site cannot name another tenant', async () => {
    await expectRefusal(ingest.collect({ siteId: 'docs', tenant: 'acme' }), 'tenant_mismatch');
    await expectRefusal(get(`${ingest.url}/collect?siteId=docs&tenant=acme`), 'tenant_mismatch');
  });

  it('with a key is for the tenant of the key, and for no other site', async () => {
    expect((await ingest.collect({ siteId: 'acme' }, ACME)).status).toBe(202);
    expect((await ingest.collect({}, ACME)).status).toBe(202);
    expect(await tenants()).toEqual(['acme', 'acme']);
    await ingest.clear();
    for (const siteId of ['docs', 'rival', ...ODD_NAMES, ...INHERITED]) {
      await expectRefusal(ingest.collect({ siteId }, ACME), 'tenant_mismatch');
    }
  });

  it('with a wrong key is refused, also for a listed site', async () => {
    await expectRefusal(ingest.collect({ siteId: 'docs' }, { 'x-api-key': 'wrong' }), 'unauthorized');
    await expectRefusal(get(`${ingest.url}/collect?siteId=docs`, { authorization: 'Bearer wrong' }), 'unauthorized');
  });

  it('with the key of API_KEY is for the tenant "default", whatever the site', async () => {
    expect((await ingest.collect({ siteId: 'docs' }, MASTER)).status).toBe(202);
    expect((await ingest.collect({ siteId: 'acme' }, MASTER)).status).toBe(202);
    expect(await tenants()).toEqual(['default', 'default']);
  });
});

it('a listed site opens /collect only, not /api/events', async () => {
  await expectRefusal(
    ingest.send({ siteId: 'docs', tenant: 'docs', events: [makeEvent({ siteId: 'docs' })] }),
    'unauthorized',
  );
});
