import { spawn } from 'node:child_process';

const graceMs = 10_000;

/**
 * Starts a program in a process group of its own, so that a Ctrl-C in the terminal, which reaches npm and us both,
 * reaches the group once: as SIGTERM, and as SIGKILL when it has not ended within the grace.
 */
export function startGroup(command, args, options) {
	const child = spawn(command, args, { ...options, detached: true });
	const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
	let force;
	const stop = () => {
		if (force) return;
		process.kill(-child.pid, 'SIGTERM');
		force = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), graceMs);
	};
	for (const signal of signals) process.on(signal, stop);
	child.once('close', () => {
		clearTimeout(force);
		for (const signal of signals) process.off(signal, stop);
	});
	return child;
}

/** The exit code of a child; 1 if a signal ended it. */
export function exitCode(child) {
	return new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('close', (code) => resolve(code ?? 1));
	});
}
