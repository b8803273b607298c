import { Type } from 'typebox';
import { boolean, choice, list, text, NAME_PATTERN } from '@sluice/daemon/config/variables';
import { EXPORT_FORMATS } from './export-formats.ts';

/** Variables of the daemons that plan and run exports. */
export const exportVariables = {
  EXPORT_SCHEDULE: text({
    default: 'hourly',
    unit: '-',
    description:
      'Schedule of tenants without one of their own: hourly, daily, realtime, manual, `threshold:N` or a cron line in UTC. Tenants without any configuration are exported only if CLIENT_S3_BUCKET is set.',
  }),
  EXPORT_FORMAT: choice(EXPORT_FORMATS, {
    default: 'ndjson',
    unit: '-',
    description: 'Format unless the request or the tenant names another.',
  }),
  EXPORT_CSV_ESCAPE_FORMULAS: boolean({
    default: true,
    unit: '-',
    description:
      "Whether a CSV cell that begins with = + - @, a tab or a carriage return gets a ' in front, so that no spreadsheet runs it. Set false when a warehouse reads the files.",
  }),
  EXPORT_DIR: text({
    default: './exports',
    unit: 'folder',
    description: 'Folder of exports whose destination is local; the same for query API and maintenance worker.',
  }),
  CLIENT_S3_BUCKET: Type.Optional(
    text({
      unit: '-',
      description:
        'Bucket of all tenants without a configuration of their own. Unset, these are not exported by schedule.',
    }),
  ),
  CLIENT_S3_PREFIX: text({
    default: 'sluice',
    unit: '-',
    description: 'Start of every key in CLIENT_S3_BUCKET and S3_BACKUP_BUCKET.',
  }),
  CLIENT_S3_REGION: Type.Optional(text({ unit: '-', description: 'Region of CLIENT_S3_BUCKET.' })),
  CLIENT_S3_ENDPOINT: Type.Optional(
    text({
      unit: 'URL',
      description: 'S3-compatible server of CLIENT_S3_BUCKET; left out for AWS.',
    }),
  ),
  CLIENT_S3_PATH_STYLE: boolean({
    default: false,
    unit: '-',
    description: 'Whether the bucket is named in the path and not in the host name; most servers except AWS need it.',
  }),
  CLIENT_S3_ACCESS_KEY: Type.Optional(
    text({
      unit: '-',
      secret: true,
      description: "Access key of CLIENT_S3_BUCKET. Left out, the AWS SDK's own chain is used, so IAM roles work.",
    }),
  ),
  CLIENT_S3_SECRET_KEY: Type.Optional(
    text({ unit: '-', secret: true, description: 'Secret of CLIENT_S3_ACCESS_KEY.' }),
  ),
  S3_BACKUP_BUCKET: Type.Optional(
    text({
      unit: '-',
      description: 'Second bucket for the same files, at the endpoint and with the credentials of CLIENT_S3_BUCKET.',
    }),
  ),
  EXPORT_ENCRYPTION_KEYS: Type.Optional(
    list({
      unit: 'list',
      secret: true,
      item: `${NAME_PATTERN}:[A-Za-z0-9+/]{43}=`,
      expected: 'a list of id:base64-of-32-bytes, separated by commas',
      description:
        "Keys that tenants' credentials are sealed with, as `id:base64-of-32-bytes`; the first seals, the others still open. Without it no credentials are stored.",
    }),
  ),
  EXPORT_ALLOW_PRIVATE: boolean({
    default: false,
    unit: '-',
    description: "Whether tenants' S3 endpoints and the webhook may lie in private networks or on this machine.",
  }),
};
