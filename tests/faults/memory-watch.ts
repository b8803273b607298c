import { readFileSync } from 'node:fs';

const SAMPLE_MS = 100;

/** Watches the highest memory of processes (I5). */
export interface MemoryWatch {
  watch(name: string, pid: number): void;
  /** Highest resident memory in MiB, by name over all runs; empty where the system has no /proc. */
  peaks(): ReadonlyMap<string, number>;
  stop(): void;
}

/** Samples VmHWM, the kernel's own high-water mark, so that no peak falls between two samples of a living process. */
export function watchMemory(): MemoryWatch {
  const pids = new Map<number, string>();
  const peaks = new Map<string, number>();
  const sample = (): void => {
    for (const [pid, name] of pids) {
      const peak = peakOf(pid);
      if (peak === null) pids.delete(pid);
      else peaks.set(name, Math.max(peaks.get(name) ?? 0, peak));
    }
  };
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    watch: (name, pid) => void pids.set(pid, name),
    peaks() {
      sample();
      return peaks;
    },
    stop: () => clearInterval(timer),
  };
}

function peakOf(pid: number): number | null {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? null : Math.round(Number(kilobytes) / 1024);
  } catch {
    return null;
  }
}
