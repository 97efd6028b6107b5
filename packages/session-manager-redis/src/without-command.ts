/**
 * Takes the command that failed from an error of ioredis, and returns it. Its arguments are a password, or what clients
 * said: whoever logs the error would log them.
 */
export function withoutCommand<T>(error: T): T {
	if (!(error instanceof Error)) return error;
	const failure: Error & { command?: unknown; lastNodeError?: unknown } = error;
	delete failure.command;
	// Why a cluster could not be reached.
	withoutCommand(failure.lastNodeError);
	return error;
}
