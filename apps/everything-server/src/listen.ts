import type { Server } from 'node:http';

/** The flags of the command line that say where a server listens. */
export interface ListenFlags {
	readonly port: string;
	/** Absent where the address is fixed. */
	readonly host?: string;
}

/** A server cannot listen where its flags say; the message says in one line what to write instead. */
class ListenError extends Error {
	override readonly name = 'ListenError';
}

/** Starts to listen. Rejects with {@link ListenError} when it cannot. */
export function listen(server: Server, port: number, host: string, flags: ListenFlags): Promise<void> {
	return new Promise((resolve, reject) => {
		const failed = (cause: Error) => reject(new ListenError(explain(cause, flags), { cause }));
		server.once('error', failed);
		server.listen(port, host, () => {
			server.off('error', failed);
			resolve();
		});
	});
}

function explain({ code, message }: NodeJS.ErrnoException, { port, host }: ListenFlags): string {
	if (code === 'EADDRINUSE') return `The port is in use; choose another with ${port}, or 0 for a free one.`;
	if (code === 'EACCES') return `This port may not be used; choose one above 1023 with ${port}.`;
	if (host !== undefined && (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND'))
		return `This machine has no such address; choose another ${host}.`;
	return message;
}
