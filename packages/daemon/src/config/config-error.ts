/** Exit code of a daemon whose configuration is wrong: EX_CONFIG of sysexits.h. Starting again won't help. */
export const EXIT_CONFIG = 78;

/** All that is wrong with the configuration, at once. */
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
