import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('V8 knows the flag: an unknown one would be complained of, and change nothing', async () => {
  const module = new URL('../../src/weigh-buffers.ts', import.meta.url);
  const script = `import { weighBuffers } from ${JSON.stringify(module.href)}; weighBuffers();`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  expect(stdout + stderr).toBe('');
});
