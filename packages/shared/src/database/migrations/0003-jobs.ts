export const name = '0003-jobs';

export const statements: readonly string[] = [];
