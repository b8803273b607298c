import { type Static, type TObject, Type } from 'typebox';
import { ConfigError } from '@sluice/daemon/config/config-error';
import { text } from '@sluice/daemon/config/variables';

/** Variables of the webhook that is told of exports. */
export const webhookVariables = {
  EXPORT_WEBHOOK_URL: Type.Optional(
    text({
      unit: 'URL',
      // Its path may be what keeps others out, as with Slack's.
      secret: true,
      pattern: '^https?://',
      format: 'url',
      expected: 'a URL that starts with https:// or http://',
      description: 'Is told by a POST of each export that succeeded or failed.',
    }),
  ),
  EXPORT_WEBHOOK_SECRET: Type.Optional(
    text({
      unit: '-',
      secret: true,
      pattern: '^.{16,}$',
      expected: '16 characters or more',
      description: 'What those notices are signed with (HMAC-SHA256); needed with EXPORT_WEBHOOK_URL.',
    }),
  ),
};

/** Where notices go, and what they are signed with. */
export interface WebhookSettings {
  readonly url: string;
  readonly secret: string;
}

/**
 * @returns null without EXPORT_WEBHOOK_URL
 * @throws ConfigError when its secret is missing
 */
export function readWebhookSettings(values: Static<TObject<typeof webhookVariables>>): WebhookSettings | null {
  const { EXPORT_WEBHOOK_URL: url, EXPORT_WEBHOOK_SECRET: secret } = values;
  if (url === undefined) return null;
  if (secret === undefined) throw new ConfigError(['EXPORT_WEBHOOK_URL needs EXPORT_WEBHOOK_SECRET to sign with']);
  return { url, secret };
}
