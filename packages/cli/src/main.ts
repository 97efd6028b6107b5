#!/usr/bin/env node
import { once } from 'node:events';
import { run } from './run.js';

process.exitCode = await run(process.argv.slice(2), {
	out: (text) => process.stdout.write(text),
	note: (text) => process.stderr.write(text),
	env: process.env,
	folder: process.cwd(),
	interrupted: () => Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]),
});
