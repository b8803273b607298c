import { type Static, type TObject, Type } from 'typebox';
import { ConfigError } from '@sluice/daemon/config/config-error';
import { text } from '@sluice/daemon/config/variables';

/** Variables of the webhook that is notified of exports. */
export const webhookVariables = {
  EXPORT_WEBHOOK_URL: Type.Optional(
    text({
      unit: 'URL',
      // Its path may be its only secret, as with Slack's.
      secret: true,
      pattern: '^https?://',
      format: 'url',
      expected: 'a URL that starts with https:// or http://',
      description: 'Receives a POST for each export that succeeded or failed.',
    }),
  ),
  EXPORT_WEBHOOK_SECRET: Type.Optional(
    text({
      unit: '-',
      secret: true,
      pattern: '^.{16,}$',
      expected: '16 characters or more',
      description: 'Secret that signs these notices (HMAC-SHA256); needed with EXPORT_WEBHOOK_URL.',
    }),
  ),
};

/** The receiver of notices, and the secret that signs them. */
export interface WebhookSettings {
  readonly url: string;
  readonly secret: string;
}

/**
 * Checks the variables of the webhook.
 *
 * @returns null without EXPORT_WEBHOOK_URL
 * @throws ConfigError when its secret is missing
 */
export function readWebhookSettings(values: Static<TObject<typeof webhookVariables>>): WebhookSettings | null {
  const { EXPORT_WEBHOOK_URL: url, EXPORT_WEBHOOK_SECRET: secret } = values;
  if (url === undefined) return null;
  if (secret === undefined) throw new ConfigError(['EXPORT_WEBHOOK_URL needs EXPORT_WEBHOOK_SECRET to sign with']);
  return { url, secret };
}
