export const name = '0004-rollups';

export const statements: readonly string[] = [];
