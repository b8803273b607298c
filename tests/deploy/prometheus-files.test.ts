import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, inject, it } from 'vitest';
import { needsProgram } from '@sluice/testkit/needs';
import { PROMETHEUS_FOLDER } from '../setup/prometheus.ts';

const run = promisify(execFile);
const promtool = inject('programs').promtool;

/** Returns what promtool prints about a file of `deploy/prometheus`; throws with it when something is wrong. */
async function check(...args: string[]): Promise<string> {
  const { stdout } = await run(promtool!, [...args.slice(0, -1), join(PROMETHEUS_FOLDER, args.at(-1)!)]);
  return stdout;
}

describe.skipIf(promtool === null)('deploy/prometheus', needsProgram('promtool'), () => {
  it('is a valid configuration with valid rules', async () => {
    expect(await check('check', 'config', 'prometheus.yml')).toContain('is valid prometheus config file syntax');
    expect(await check('check', 'rules', 'alerts.yml')).toContain('SUCCESS');
  });

  it('has alerts that fire when they must and not before', async () => {
    expect(await check('test', 'rules', 'alerts.test.yml')).toContain('SUCCESS');
  });
});
