/** The URL of a Redis for another user of it; without a user, for one who gives no password. */
export function asRedisUser(url: string, user = '', password = ''): string {
  const parts = new URL(url);
  parts.username = user;
  parts.password = password;
  return parts.href;
}
