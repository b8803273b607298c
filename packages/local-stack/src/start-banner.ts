import { randomUUID } from 'node:crypto';
import { PORTS, type DaemonName } from './daemons.ts';
import type { StackHandle } from './stack.ts';

/** The next steps with a running stack, as lines of text. */
export function startBanner(stack: StackHandle, env: NodeJS.ProcessEnv): string {
  const ingest = urlOf('ingest-api', stack, env);
  const query = urlOf('query-api', stack, env);
  const key = env['API_KEY'] ? `-H "X-API-Key: $API_KEY" ` : '';
  const event = {
    // New at each start: an event with the id of yesterday's would not be stored again.
    eventId: randomUUID(),
    timestamp: new Date().toISOString(),
    eventType: 'CellChange',
    userName: 'ada',
    workbookName: 'Budget.xlsx',
    newValue: '42',
  };
  return [
    '',
    `  ingest      ${ingest}/api/events`,
    `              ${ingest}/docs`,
    `  query       ${query}/api/events/recent`,
    `              ${query}/docs`,
    `  postgres    psql "${stack.databaseUrl}"`,
    `  redis       redis-cli -u ${stack.redisUrl}`,
    '',
    'Send a first event:',
    '',
    `  curl -i ${ingest}/api/events -H 'Content-Type: application/json' ${key}\\`,
    `    -d '${JSON.stringify({ events: [event] })}'; echo`,
    '',
    'See it stored:',
    '',
    `  curl ${key}${query}/api/events/${event.eventId}; echo`,
    '',
    'Ctrl-C to stop.',
  ].join('\n');
}

/** A daemon's URL; for one that the stack was started without, the URL at which `dev` runs it. */
function urlOf(name: DaemonName, { daemons }: StackHandle, env: NodeJS.ProcessEnv): string {
  const { variable, port } = PORTS[name];
  return daemons[name]?.url ?? `http://127.0.0.1:${env[variable] || port}`;
}
