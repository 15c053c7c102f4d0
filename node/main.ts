import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Beside the packages, so that nobody else can put code there; where that is not writable, nothing is kept.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/quorate'));

const { runProgram } = await import('./cli/run-program.ts');
await runProgram(process.argv.slice(2));
