import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

it.each(['json', 'pretty'])(
  'a daemon whose log (%s) has lost its reader still works, and stops in order',
  async (format) => {
    const main = join(resolve(import.meta.dirname, '../../..'), 'packages/query-api/src/main.ts');
    const daemon = spawn(process.execPath, [main], {
      env: {
        PATH: process.env['PATH'],
        QUERY_PORT: '0',
        LOG_LEVEL: 'trace',
        LOG_FORMAT: format,
        DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
        REDIS_URL: 'redis://127.0.0.1:1',
      },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    const ready = once(daemon, 'message');
    await once(daemon.stdout!, 'data');
    daemon.stdout!.destroy();
    const [{ url }] = (await ready) as [{ url: string }];
    expect((await fetch(`${url}/live`)).status).toBe(200);
    daemon.kill('SIGTERM');
    expect(await once(daemon, 'exit')).toEqual([0, null]);
  },
);
