import packageJson from '../package.json' with { type: 'json' };

/** Of this program, as members tell each other. */
export const VERSION: string = packageJson.version;
