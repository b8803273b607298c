import { expect, it } from 'vitest';
import { createLogger } from '@sluice/shared/runtime/logger';

it('a logged object loses its keys and passwords', () => {
  const lines: string[] = [];
  const logger = createLogger(
    { daemon: 'test', version: '1', level: 'trace' },
    { write: (line) => void lines.push(line) },
  );
  logger.info({ password: 'secret', options: { password: 'secret' }, authorization: 'Bearer secret' }, 'one');
  logger.info({ req: { headers: { authorization: 'Bearer secret', 'x-api-key': 'secret', host: 'h' } } }, 'two');
  expect(lines).toHaveLength(2);
  expect(lines.join('')).not.toContain('secret');
  expect(lines.join('')).toContain('[redacted]');
  expect(JSON.parse(lines[1]!)).toMatchObject({
    daemon: 'test',
    version: '1',
    msg: 'two',
    req: { headers: { host: 'h' } },
  });
});
