import { redisSessionManager } from '@holdfast/session-manager-redis';

export async function pair(): Promise<void> {
	//#region pair
	const sessionManager = redisSessionManager('redis://localhost:6379');
	// new HttpTransport(createMcpServer, { sessionManager }), and once that is closed:
	await sessionManager.close();
	//#endregion pair
}
