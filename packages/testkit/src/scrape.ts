import { get } from './http.ts';

/** The samples of a daemon's `/metrics` at one moment. */
export interface Scrape {
  /** The value of the sample with this name and all of these labels; undefined without one. Fails when there are more. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
  readonly text: string;
}

/** Reads the metrics of a daemon. */
export async function scrape(url: string): Promise<Scrape> {
  const { status, body } = await get(`${url}/metrics`);
  const text = body as string;
  if (status !== 200) throw new Error(`/metrics answered ${status}: ${JSON.stringify(body)}`);
  const samples = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(sampleOf);
  return {
    text,
    value(name, labels = {}) {
      const found = samples.filter(
        (sample) =>
          sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels.get(label) === value),
      );
      if (found.length > 1) throw new Error(`${found.length} samples are ${name} ${JSON.stringify(labels)}`);
      return found[0]?.value;
    },
  };
}

function sampleOf(line: string): { name: string; labels: Map<string, string>; value: number } {
  const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined) throw new Error(`not a sample: ${line}`);
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, text]) => [label!, text!] as const);
  return { name, labels: new Map(pairs), value: Number(value) };
}
