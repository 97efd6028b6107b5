import type { Session } from '@holdfast/session-manager';

//#region factory
export async function greet(session: Session): Promise<string> {
	const visits = await session.state.increment('visits'); // counts on every node
	return `Hello ${session.clientInfo.name}, this is visit ${visits}.`;
}
//#endregion factory

export function signal(session: Session, refresh: () => void): void {
	//#region signal
	const timer = setInterval(refresh, 10_000);
	session.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
	//#endregion signal
}

export async function terminate(session: Session): Promise<void> {
	//#region terminate
	if (session.principal === undefined) await session.terminate('sign in first');
	//#endregion terminate
}
