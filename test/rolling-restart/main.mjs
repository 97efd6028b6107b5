// Runs the rolling restarts by hand and in CI. Node 20 does not run TypeScript; Vite, which the tests need anyway,
// does.
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

// Servers end with this process, but only if it exits.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const { module } = await runnerImport(fileURLToPath(new URL('cli.ts', import.meta.url)), { configFile: false });
process.exit(await module.main(process.argv.slice(2)));
