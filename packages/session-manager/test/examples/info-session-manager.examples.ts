import type { InfoSessionManager } from '@holdfast/session-manager';

export async function vocabulary(info: InfoSessionManager, sessionId: string): Promise<unknown> {
	//#region vocabulary
	await info.setLogLevel(sessionId, 'warning');
	await info.addSubscription(sessionId, 'file:///report.md');

	const client = await info.getClientInfo(sessionId); // undefined: no such session
	const subscribers = await info.getSubscriptions('file:///report.md');
	//#endregion vocabulary
	return { client, subscribers };
}
