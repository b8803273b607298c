import { expect, it } from 'vitest';
import { Outage } from '../../../src/log/outage.ts';

it('a reason is news once, until there is another reason or a success', () => {
  const outage = new Outage();
  expect(outage.news(new Error('away'))).toBe('away');
  expect(outage.news(new Error('away'))).toBeNull();
  expect(outage.news(new Error('full'))).toBe('full');
  expect(outage.news(new Error('away'))).toBe('away');
  outage.over();
  expect(outage.news(new Error('away'))).toBe('away');
});
