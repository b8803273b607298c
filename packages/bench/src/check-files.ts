import { access, constants, mkdir, open, rm, stat } from 'node:fs/promises';
import { countEvents } from '@sluice/local-stack/read-events-file';

/**
 * Checks that files can be written and read, before hours of measuring. Makes the folder of the charts.
 *
 * @throws with the option and the reason
 */
export async function checkFiles(files: { out: string; svg: string | undefined; edits: string | undefined }) {
  const { out, svg, edits } = files;
  try {
    const wasThere = await stat(out).then(
      () => true,
      () => false,
    );
    await (await open(out, 'a')).close();
    if (!wasThere) await rm(out);
  } catch (error) {
    throw new Error(`the figures cannot be written (--out): ${(error as Error).message}`, { cause: error });
  }
  if (svg !== undefined) {
    try {
      await mkdir(svg, { recursive: true });
      await access(svg, constants.W_OK | constants.X_OK);
    } catch (error) {
      throw new Error(`the charts cannot be written (--svg): ${(error as Error).message}`, { cause: error });
    }
  }
  // Reads every line: a bad one would otherwise be found in the middle of a suite.
  if (edits !== undefined) await countEvents(edits);
}
