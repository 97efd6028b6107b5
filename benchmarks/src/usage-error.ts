/** What the caller can put right: its message is all that is shown. */
export class UsageError extends Error {
	override readonly name = 'UsageError';
}

/** Runs a command to its end; says what went wrong and sets the exit code if it fails. */
export async function runCommand(command: () => Promise<void>): Promise<void> {
	try {
		await command();
	} catch (error) {
		console.error(error instanceof UsageError ? error.message : error);
		process.exitCode = 1;
	}
}
