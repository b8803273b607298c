import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { visible } from '@sluice/errors/visible';

/** Programs whose script says more than they do. */
const INTERPRETERS = /^(?:node|deno|bun|python|ruby|perl|java)/;
/** Their options whose value is not the script. */
const TAKES_A_VALUE = /^(?:--import|--require|-r|--loader|--env-file|--watch-path|-e|-p|-c|--eval|-cp)$/;

export interface PortOwner {
  pid: number;
  /** The program, with the script that it runs: `node server.js`. */
  name: string;
}

/** Who listens on a TCP port of this machine, as far as this user is allowed to see; undefined when it can't be found. */
export async function portOwner(port: number): Promise<PortOwner | undefined> {
  try {
    return process.platform === 'linux' ? await ownerFromProc(port) : await ownerFromLsof(port);
  } catch {
    return undefined;
  }
}

/** Slim images have neither `ss` nor `lsof`: /proc maps the port to a socket's inode and that to a process. */
async function ownerFromProc(port: number): Promise<PortOwner | undefined> {
  const LISTEN = '0A';
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')),
  );
  const sockets = new Set<string>();
  for (const line of tables.join('\n').split('\n')) {
    const fields = line.trim().split(/\s+/);
    const localPort = Number.parseInt(fields[1]?.split(':')[1] ?? '', 16);
    if (localPort === port && fields[3] === LISTEN) sockets.add(`socket:[${fields[9]}]`);
  }
  if (sockets.size === 0) return undefined;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const descriptor of descriptors) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '');
      if (sockets.has(target)) return { pid: Number(pid), name: visible(await nameOf(pid)) };
    }
  }
  return undefined;
}

/** From the command line: the name of a process is that of its main thread, which Node calls `MainThread`. */
async function nameOf(pid: string): Promise<string> {
  const [program = '', ...args] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  // A process may write its title over its command line: `nginx: master process …`.
  const name = program.includes(' ') ? program.trim() : basename(program);
  if (name === '') return (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
  const script = INTERPRETERS.test(name)
    ? args.find((arg, at) => !arg.startsWith('-') && !TAKES_A_VALUE.test(args[at - 1] ?? ''))
    : undefined;
  return script === undefined ? name : `${name} ${basename(script).slice(0, 60)}`;
}

async function ownerFromLsof(port: number): Promise<PortOwner | undefined> {
  const { stdout } = await promisify(execFile)('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc']);
  const pid = /^p(\d+)$/m.exec(stdout)?.[1];
  const name = /^c(.+)$/m.exec(stdout)?.[1];
  return pid && name ? { pid: Number(pid), name: visible(name) } : undefined;
}
