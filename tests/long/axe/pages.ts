/** What is used of Playwright, which is not among the workspace's packages. */
export interface BrowserType {
  launch(options: { executablePath: string; args: string[] }): Promise<Browser>;
}
export interface Browser {
  newPage(options: { colorScheme: ColorScheme; reducedMotion: 'reduce' }): Promise<Page>;
  close(): Promise<void>;
}
interface Page {
  goto(url: string): Promise<unknown>;
  waitForSelector(selector: string): Promise<unknown>;
  waitForFunction(script: string, argument: null, options: { polling: number }): Promise<unknown>;
  setDefaultTimeout(ms: number): void;
  evaluate(script: string): Promise<unknown>;
  close(): Promise<void>;
}

export type ColorScheme = 'light' | 'dark';

/** A rule of axe that a page breaks. */
export interface Violation {
  readonly id: string;
  readonly impact: 'minor' | 'moderate' | 'serious' | 'critical' | null;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[];
}

/** What axe found on a page: how many operations were open, how many rules hold at least, and which do not. */
export interface Findings {
  readonly operations: number;
  readonly held: number;
  readonly violations: readonly Violation[];
}

/** For a browser that hangs, not one that is slow. */
const PATIENCE_MS = 300_000;

/** Operations that are open at a time: with all fifty of the query API the page takes minutes of computing. */
const GROUP = 8;

/**
 * Opens the page of an API in a browser, opens its operations, a group at a time, and runs all rules of axe on each.
 *
 * @param isShort only one operation of each section, in one group
 */
export async function examine(
  browser: Browser,
  url: string,
  { colorScheme, axe, isShort }: { colorScheme: ColorScheme; axe: string; isShort: boolean },
): Promise<Findings> {
  const page = await browser.newPage({ colorScheme, reducedMotion: 'reduce' });
  page.setDefaultTimeout(PATIENCE_MS);
  try {
    await page.goto(`${url}/docs`);
    await page.waitForSelector('.opblock-summary-control');
    // By the debugger's protocol, which the page's Content-Security-Policy does not concern.
    await page.evaluate(axe);
    const all = (await page.evaluate(isShort ? FIRST_OF_SECTIONS : ALL)) as number[];
    let held = Infinity;
    const violations: Violation[] = [];
    for (let from = 0; from < all.length; from += GROUP) {
      const group = all.slice(from, from + GROUP);
      await page.evaluate(click(group));
      await page.waitForFunction(
        `document.querySelectorAll('.opblock.is-open .opblock-body').length === ${group.length}`,
        null,
        { polling: 200 },
      );
      const found = (await page.evaluate(RUN)) as Pick<Findings, 'held' | 'violations'>;
      held = Math.min(held, found.held);
      violations.push(...found.violations);
      await page.evaluate(click(group));
    }
    return { operations: all.length, held, violations };
  } finally {
    await page.close();
  }
}

const ALL = `[...document.querySelectorAll('.opblock').keys()]`;
const FIRST_OF_SECTIONS = `(() => {
  const all = [...document.querySelectorAll('.opblock')];
  const firsts = [...document.querySelectorAll('.opblock-tag-section')].map((section) => section.querySelector('.opblock'));
  return firsts.filter(Boolean).slice(0, ${GROUP}).map((first) => all.indexOf(first));
})()`;

/** Opens operations, or closes them. */
const click = (operations: readonly number[]): string =>
  `for (const at of ${JSON.stringify(operations)}) document.querySelectorAll('.opblock-summary-control')[at].click()`;

const RUN = `axe
  .run(document, { resultTypes: ['violations'] })
  .then(({ passes, violations }) => ({ held: passes.length, violations }))`;
