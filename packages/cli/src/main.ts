#!/usr/bin/env node
import { once } from 'node:events';
import { run } from './run.js';

// Whoever reads may have enough, as `head` has: what is done is done all the same.
for (const stream of [process.stdout, process.stderr]) {
	stream.on('error', (error: NodeJS.ErrnoException) => {
		if (error.code !== 'EPIPE') throw error;
	});
}

process.exitCode = await run(process.argv.slice(2), {
	out: (text) => process.stdout.write(text),
	note: (text) => process.stderr.write(text),
	env: process.env,
	folder: process.cwd(),
	interrupted: () => Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]),
});
