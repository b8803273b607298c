import { firstMessageOf } from '../first-message.ts';

/** Lines of an error that a note has: what cannot be installed, and the first that the installer said. */
const NOTE_LINES = 2;

/**
 * Waits for the installation of what a peer needs. One that fails leaves the peer out, with a note for the reader of the
 * figures.
 *
 * @param peer its name, for the note
 * @param to.notes to which the note is added
 * @returns what was installed; null when the peer is left out
 * @throws when the signal aborts
 */
export async function installOrLeaveOut<T>(
  peer: string,
  installing: Promise<T>,
  to: { notes: string[]; signal: AbortSignal },
): Promise<T | null> {
  try {
    return await installing;
  } catch (error) {
    to.signal.throwIfAborted();
    const reason = firstMessageOf(error).trim().split('\n').slice(0, NOTE_LINES).join(' ');
    to.notes.push(`left out: ${peer}, because ${reason}`);
    return null;
  }
}
