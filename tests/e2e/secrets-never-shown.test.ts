import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '@sluice/local-stack/free-port';
import { get, post } from '@sluice/testkit/http';
import { makeEvent } from '@sluice/testkit/make-event';
import { PATIENCE, type PlantedDaemons, startPlantedDaemons, STREAM } from '@sluice/testkit/planted-secrets';
import { S3_CREDENTIALS } from '@sluice/testkit/s3-server';
import { secretOf } from '@sluice/testkit/stored-keys';
import { isListed, listedLogLines } from '../docs/listed-log-lines.ts';

/** Plants secrets everywhere, makes everything fail once, and then searches all output for them. */
let planted: PlantedDaemons;
/** In the payloads of events. */
let note: string;
beforeAll(async () => {
  planted = await startPlantedDaemons();
  note = planted.plant('the payload of an event');
});
afterAll(() => planted.stop());

describe('while everything is done and everything fails', () => {
  it('keys: right, wrong, in the wrong place, made, used and revoked', async () => {
    const { apiKey, tenantKey, operatorsKey, daemons, send, ask, plant, lookAround } = planted;
    const wrongKey = plant('a wrong key');
    const ingest = daemons.get('ingest-api')!.url;
    const query = daemons.get('query-api')!.url;
    expect(await send(apiKey)).toBe(202);
    expect(await send(tenantKey)).toBe(202);
    expect(await send(wrongKey)).toBe(401);
    const event = { events: [makeEvent({ newValue: note })] };
    expect((await post(`${ingest}/api/events`, event, { authorization: `Bearer ${apiKey}` })).status).toBe(202);
    expect((await post(`${ingest}/api/events?api_key=${apiKey}`, event)).status).toBe(401);
    expect((await post(`${ingest}/api/events?${apiKey}`, `{"note":"${note}"`, { 'x-api-key': apiKey })).status).toBe(
      400,
    );
    expect((await get(`${ingest}/pixel.gif?note=${note}&key=${wrongKey}`, { 'x-api-key': wrongKey })).status).toBe(401);
    expect((await get(`${ingest}/collect?note=${note}&token=${apiKey}`, { 'x-api-key': apiKey })).status).toBe(202);
    expect((await get(`${query}/api/dead-letters`, { 'x-api-key': operatorsKey })).status).toBe(200);
    expect((await get(`${query}/api/dead-letters?api_key=${operatorsKey}`)).status).toBe(401);
    expect((await ask('GET', `/api/dead-letters?note=${note}`)).status).toBe(400);
    expect((await ask('GET', `/api/sessions?user_name=${note}`)).status).toBe(200);

    const made = await ask('POST', '/api/keys', { name: 'planted', scopes: ['ingest'] });
    expect(made.status).toBe(201);
    const stored = plant('a stored key', made.body.key as string);
    plant('the part of a stored key that proves it', secretOf(stored));
    await vi.waitFor(async () => expect(await send(stored)).toBe(202), PATIENCE);
    expect((await ask('DELETE', `/api/keys/${made.body.id}`)).status).toBeLessThan(300);
    await vi.waitFor(async () => expect(await send(stored)).toBe(401), PATIENCE);
    await lookAround();
  });

  it('exports: refused, unreachable and done; the webhook fails and works', async () => {
    const { s3, ask, seen, plant, hookPaths, webhookPath, lookAround } = planted;
    const tenantsSecret = plant('the S3 secret of a tenant');
    const tenantsAccess = plant('the S3 access key of a tenant');
    const credentials = { access_key_id: tenantsAccess, secret_access_key: tenantsSecret };
    const away = destination({ endpoint: `http://127.0.0.1:${await freePort()}`, credentials });
    expect((await ask('PUT', '/export/config?tenant=acme', away)).status).toBe(200);
    expect((await ask('POST', '/export/config/test?tenant=acme')).status).toBe(200);
    expect((await ask('PUT', '/export/config?tenant=acme', { ...away, colour: tenantsSecret })).status).toBe(400);
    const exported = async (): Promise<void> => {
      expect((await ask('POST', '/export/run?tenant=acme')).status).toBe(202);
    };
    await exported();
    await seen('maintenance-worker', 'export interrupted; retrying');
    const there = destination({
      endpoint: s3.endpoint,
      credentials: { ...S3_CREDENTIALS, secret_access_key: tenantsSecret },
    });
    expect((await ask('PUT', '/export/config?tenant=acme', there)).status).toBe(200);
    // The bucket does not know the server's own key.
    expect((await ask('POST', '/export/run?tenant=default')).status).toBe(202);
    await seen('maintenance-worker', 'export failed; its window is retained, and a retry exports the same');
    await seen('maintenance-worker', 'webhook not delivered; retrying');
    await exported();
    await seen('maintenance-worker', 'exported');
    await seen('maintenance-worker', 'webhook delivered');
    expect([...hookPaths]).toEqual([`/${webhookPath}`]);
    await lookAround();
  });

  it('Redis: a key that is no stream, a password that is no longer right, no server', async () => {
    const { apiKey, daemons, redis, redisServer, send, ask, seen, lookAround } = planted;
    await drained();
    await redis.del(STREAM);
    await redis.set(STREAM, 'no stream');
    expect(await send(apiKey, { newValue: note })).toBe(503);
    await seen('ingest-api', 'batch not enqueued; answered 503');
    await seen('writer-worker', 'reading failed; retrying');
    await redis.del(STREAM);
    await vi.waitFor(async () => expect(await send(apiKey)).toBe(202), PATIENCE);
    await seen('ingest-api', 'batches are enqueued again');

    await redis.config('SET', 'requirepass', 'another');
    await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    for (const name of daemons.keys()) await seen(name, 'Redis refuses the connection', /WRONGPASS/);
    expect(await send(apiKey)).toBe(503);
    await lookAround();
    await redisServer.stop();
    for (const name of daemons.keys()) await seen(name, 'Redis cannot be reached', /ECONNREFUSED/);
    expect((await ask('POST', '/export/run?tenant=acme')).status).toBe(202);
    await seen('query-api', 'maintenance worker not notified; the sweep will pick it up', /"request_id"/);
    await lookAround();
    await redisServer.start();
    for (const name of daemons.keys()) await seen(name, 'Redis is back');
  });

  it('Postgres: rows that it refuses, missing tables, a password that is no longer right', async () => {
    const { apiKey, admin, databasePassword, receiver, send, ask, seen, lookAround } = planted;
    // It refuses every event: one that it accepts, in the same batch, would make the others dead letters.
    await admin.query('ALTER TABLE events ADD CONSTRAINT refusing CHECK (false) NOT VALID');
    await vi.waitFor(
      async () => expect(await send(apiKey, { eventType: 'Refused', newValue: note })).toBe(202),
      PATIENCE,
    );
    await seen(
      'writer-worker',
      'STALLED: a batch cannot be stored and somebody has to act; nothing is lost, nothing more is fetched',
    );
    await admin.query('ALTER TABLE events DROP CONSTRAINT refusing');
    await seen('writer-worker', 'stored after a stall; consuming continues');
    // The error's message has the value, its detail the row.
    await admin.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.event_type = 'Poison' THEN
        RAISE EXCEPTION 'invalid input syntax for type date: "%"', NEW.payload->>'newValue'
          USING ERRCODE = '22007', DETAIL = NEW.payload::text;
      END IF;
      RETURN NEW; END $$`);
    await admin.query('CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()');
    expect(await send(apiKey, { eventType: 'Poison', newValue: note })).toBe(202);
    await seen('writer-worker', 'events became dead letters');
    await receiver.until(
      (spans) => spans.some(({ name }) => name === 'dead-letter event'),
      'the span of a dead letter',
    );
    // Postgres puts the whole row into the detail of its error.
    await admin.query("ALTER TABLE dead_letters ADD CONSTRAINT refusing CHECK (event_type <> 'Edited') NOT VALID");
    const { body: page } = await ask('GET', '/api/dead-letters');
    const { id, event_id: eventId } = page.dead_letters[0];
    const payload = makeEvent({ eventId, eventType: 'Edited', newValue: note });
    expect((await ask('PATCH', `/api/dead-letters/${id}`, { payload, reason: 'fixed' })).status).toBe(500);
    await seen('query-api', 'a request failed', /23514/);

    await admin.query('ALTER TABLE sessions RENAME TO sessions_away');
    expect((await ask('GET', `/api/sessions?user_name=${note}`)).status).toBe(503);
    await admin.query('ALTER TABLE sessions_away RENAME TO sessions');

    await admin.query("ALTER ROLE planter PASSWORD 'another'");
    await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'planter'");
    // Connections that were broken answer first.
    await vi.waitFor(async () => expect((await ask('GET', '/api/dead-letters')).status).toBe(500), PATIENCE);
    await seen('query-api', 'a request failed', /28P01/);
    expect(await send(apiKey)).toBe(202);
    await seen(
      'writer-worker',
      'STALLED: a batch cannot be stored and somebody has to act; nothing is lost, nothing more is fetched',
      /28P01/,
    );
    await lookAround();
    await admin.query(`ALTER ROLE planter PASSWORD '${databasePassword}'`);
    await drained();
  });

  it('the stop, while Postgres is away', async () => {
    const { daemons, postgres, seen, lookAround } = planted;
    await postgres.stop('immediate');
    await lookAround();
    await Promise.all([...daemons.values()].map((daemon) => daemon.stop()));
    for (const name of daemons.keys()) await seen(name, 'stopped');
    for (const { exited } of daemons.values()) expect(await exited).toMatchObject({ code: 0 });
  });
});

describe('in all output', () => {
  it('no secret is found', () => {
    const { daemons, receiver, secrets, told } = planted;
    const everything = new Map([...daemons].map(([name, daemon]) => [`the output of ${name}`, daemon.output()]));
    everything.set('/metrics and /health', told.join('\n'));
    everything.set('the spans', JSON.stringify(receiver.spans));
    const found: string[] = [];
    for (const [where, text] of everything) {
      expect(text.length, where).toBeGreaterThan(1_000);
      for (const [what, secret] of secrets) {
        const spellings = [
          secret,
          Buffer.from(secret).toString('base64').slice(0, -3),
          Buffer.from(secret).toString('hex'),
        ];
        for (const spelling of spellings) {
          const at = text.indexOf(spelling);
          if (at >= 0) found.push(`${what} in ${where}: …${text.slice(Math.max(0, at - 400), at + 100)}…`);
        }
      }
    }
    expect(found).toEqual([]);
  });

  it('the search would have found something', () => {
    const { receiver, secrets, told } = planted;
    expect(secrets.size).toBeGreaterThanOrEqual(20);
    const names = new Set(receiver.spans.map((span) => `${span.service} ${span.name}`));
    for (const name of [
      'sluice-ingest-api POST /api/events',
      'sluice-query-api GET /api/sessions',
      'sluice-writer-worker process events',
      'sluice-maintenance-worker export events',
    ]) {
      expect(names).toContain(name);
    }
    expect(told.join('\n')).toContain('"redis":"failed"');
    expect(told.join('\n')).toContain('sluice_build_info');
  });

  it('every line of a log is one that docs/reference/log-lines.md lists', () => {
    const { daemons } = planted;
    const listed = listedLogLines();
    const strange = [...daemons.values()].flatMap((daemon) =>
      daemon
        .output()
        .split('\n')
        .filter(
          (line) => line !== '' && !(line.startsWith('{') && isListed(listed, JSON.parse(line) as object as never)),
        ),
    );
    expect(strange).toEqual([]);
  });

  it('lines for a request have its id, and the ids of its span', () => {
    const { daemons, receiver } = planted;
    const line = daemons
      .get('ingest-api')!
      .log()
      .find(({ msg }) => msg === 'batch not enqueued; answered 503');
    expect(line).toMatchObject({ request_id: expect.any(String) as string, daemon: 'ingest-api' });
    const span = receiver.spans.find(({ attributes }) => attributes['sluice.request.id'] === line?.['request_id']);
    expect(line?.['trace_id']).toBe(span?.traceId);
  });
});

async function drained(): Promise<void> {
  await vi.waitFor(async () => expect(await planted.redis.xlen(STREAM)).toBe(0), PATIENCE);
}

function destination(more: object): object {
  return { destination: { kind: 's3', bucket: 'client', path_style: true, ...more } };
}
