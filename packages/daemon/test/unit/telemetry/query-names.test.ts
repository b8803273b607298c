import { expect, it } from 'vitest';
import { queryNames } from '../../../src/telemetry/query-names.ts';

it.each([
  ['/collect', {}],
  ['/collect?', { 'url.query': '' }],
  ['/collect?siteId=docs&visitorId=ada%40example.com', { 'url.query': 'siteId&visitorId' }],
  ['http://host/events?limit=5&cursor=abc', { 'url.query': 'limit&cursor' }],
  ['/collect?tag=a&tag=b&list[]=c', { 'url.query': 'tag&list' }],
  ['/collect?url=https://example.com/?email=ada&x=1', { 'url.query': 'url&email&x' }],
  ['/collect?ada@example.com', { 'url.query': '' }],
  ['/collect?ada@example.com=1&&=&%61da=1&bXkgc2VjcmV0', { 'url.query': '' }],
])('of %s only the names of parameters are shown', (url, names) => {
  expect(queryNames(url)).toEqual(names);
});

it('the number of names and their length are bounded', () => {
  const many = Array.from({ length: 1_000 }, (_, index) => `p${index}=1`).join('&');
  expect(String(queryNames(`/collect?${many}`)['url.query']).split('&')).toHaveLength(32);
  expect(queryNames(`/collect?${'x'.repeat(65)}=1&y=1`)).toEqual({ 'url.query': 'y' });
});
