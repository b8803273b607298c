import type { Redis } from 'ioredis';
import { batchEvents } from '@sluice/local-stack/batch-events';
import { generateEvents } from '@sluice/local-stack/generate-events';
import { readEventsFile } from '@sluice/local-stack/read-events-file';

/**
 * Posts events, at most `most`, from a file or generated, and asks Redis for the size of the stream.
 *
 * @param to the URL to post to, and the stream in which events end; no writer may read it
 * @returns bytes per event by MEMORY USAGE, the stream's own structure included
 */
export async function measureWaitingBytes(
  redis: Redis,
  to: { url: string; stream: string },
  options: { file: string | null; batch: number; most: number },
): Promise<number> {
  await redis.del(to.stream);
  const { file, batch, most } = options;
  const source = file === null ? generateEvents(most) : readEventsFile(file);
  let events = 0;
  for await (const { body, ids } of batchEvents(source, batch)) {
    if (events >= most) break;
    const answer = await fetch(to.url, { method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
    const said = await answer.text();
    if (answer.status !== 202) throw new Error(`${to.url} answered ${answer.status}: ${said.slice(0, 500)}`);
    events += ids.length;
  }
  const bytes = await redis.memory('USAGE', to.stream, 'SAMPLES', 0);
  await redis.del(to.stream);
  if (bytes === null) throw new Error(`there is no stream ${to.stream}`);
  return bytes / events;
}
