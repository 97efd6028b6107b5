/** An error that the caller can correct: only its message is shown. */
export class UsageError extends Error {
	override readonly name = 'UsageError';
}

/** Runs a command. On failure, prints the error and sets the exit code. */
export async function runCommand(command: () => Promise<void>): Promise<void> {
	try {
		await command();
	} catch (error) {
		console.error(error instanceof UsageError ? error.message : error);
		process.exitCode = 1;
	}
}
