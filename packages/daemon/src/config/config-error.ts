/** Exit code of a daemon with a wrong configuration: EX_CONFIG of sysexits.h. A restart does not help. */
export const EXIT_CONFIG = 78;

/** Lists every mistake in the configuration, so that one start shows them all. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
