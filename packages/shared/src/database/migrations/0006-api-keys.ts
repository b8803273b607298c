export const name = '0006-api-keys';

export const statements: readonly string[] = [];
