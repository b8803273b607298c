import { Option } from 'commander';

/**
 * The option `--wait`, which changes nothing: commands wait unless `--no-wait` is given. Exports needed it in 0.1.0. It
 * comes before `--no-wait`, because commander otherwise takes its default for unset.
 */
export function waitOption(): Option {
  return new Option('--wait').default(true).hideHelp();
}
