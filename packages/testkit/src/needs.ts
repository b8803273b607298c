/** What a skipped test needs. */
export interface Need {
  /** Printed at the end of the run. */
  readonly what: string;
  /** Whether it is a program, which can be installed. With CI=true the run then fails. */
  readonly program: boolean;
}

declare module 'vitest' {
  interface TaskMeta {
    needs?: Need;
  }
}

/**
 * Options of a test, or of a group, that is skipped where a program is missing. With CI=true the run then fails.
 *
 * @param program its name, for the last line of the run
 */
export function needsProgram(program: string): { meta: { needs: Need } } {
  return { meta: { needs: { what: `${program} is missing`, program: true } } };
}

/**
 * Options of a test, or of a group, that is skipped where the machine lacks something else: a file, a newer version.
 *
 * @param missing what is missing, for the last line of the run
 */
export function needs(missing: string): { meta: { needs: Need } } {
  return { meta: { needs: { what: missing, program: false } } };
}
