import { InvalidArgumentError } from 'commander';

/** The id of an export run on the command line. */
export function parseRunId(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    throw new InvalidArgumentError('An id is a UUID; see "./sluice exports list".');
  }
  return text;
}
