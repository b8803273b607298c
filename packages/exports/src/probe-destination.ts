import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Destination, DestinationError } from './destination.ts';

/**
 * Writes, reads and removes a small file, as exports do.
 *
 * @throws DestinationError saying what is wrong
 */
export async function probeDestination(
  destination: Pick<Destination, 'label' | 'write' | 'read' | 'remove'>,
  signal: AbortSignal,
): Promise<void> {
  const key = `sluice-probe-${randomUUID()}.txt`;
  const text = Buffer.from(`Written by Sluice to try this destination; may be removed. ${key}\n`);
  await destination.write(key, Readable.from([text]), signal);
  const found = await buffer(await destination.read(key, signal));
  if (!found.equals(text)) {
    throw new DestinationError('bad_destination', `${destination.label} gave back other bytes than were written.`);
  }
  await destination.remove(key, signal);
}
