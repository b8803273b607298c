import manifest from '../package.json' with { type: 'json' };

/** Version of Sluice. All packages have the same. */
export const VERSION: string = manifest.version;
