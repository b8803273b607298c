import { type DaemonName, PORTS } from './daemons.ts';
import { assertPortFree } from './free-port.ts';

/**
 * Chooses the ports of the daemons to start, as environment variables: those in `env`, else the defaults. 0 lets a
 * daemon pick a free one. Throws with every port that is not a number, given twice or taken, one a line.
 */
export async function chooseDaemonPorts(
  env: NodeJS.ProcessEnv,
  daemons: readonly DaemonName[],
): Promise<Record<string, string>> {
  const mistakes: string[] = [];
  const chosen = new Map<number, string>();
  const ports: Record<string, string> = {};
  for (const { variable, port: usual } of daemons.map((name) => PORTS[name])) {
    const given = env[variable] || String(usual);
    const port = /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN;
    const other = chosen.get(port);
    if (!(port <= 65_535)) mistakes.push(`${variable} must be a port number from 0 to 65535, not "${given}"`);
    else if (port !== 0 && other)
      mistakes.push(`port ${port} is given twice, by ${other} and ${variable}; set one of them to another`);
    else if (port !== 0) await assertPortFree({ port, variable }).catch((error: Error) => mistakes.push(error.message));
    chosen.set(port, variable);
    ports[variable] = given;
  }
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'));
  return ports;
}
