/** What a skipped test would have needed. */
export interface Need {
  /** Said at the end of the run. */
  readonly what: string;
  /** Whether it is a program, which can be installed. */
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
 * @param missing says what, for the last line of the run
 */
export function needs(missing: string): { meta: { needs: Need } } {
  return { meta: { needs: { what: missing, program: false } } };
}
