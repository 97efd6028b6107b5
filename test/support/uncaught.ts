import { onTestFinished } from 'vitest';

/** Everything that nobody caught from now on, until the test is over. */
export function uncaught(): unknown[] {
	const caught: unknown[] = [];
	const take = (error: unknown) => caught.push(error);
	for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
		const others = process.listeners(event as 'uncaughtException');
		process.removeAllListeners(event);
		process.on(event, take);
		onTestFinished(() => {
			process.off(event, take);
			for (const other of others) process.on(event, other);
		});
	}
	return caught;
}
