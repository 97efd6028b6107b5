// Says what becomes of a session on the file that it is given.
import { sqliteSessionManager } from '@holdfast/session-manager-sqlite';

const { streams, info } = sqliteSessionManager(process.argv[2]);
try {
	await streams.send(['s'], 'data: 1\n\n');
	console.log('taken');
} catch (error) {
	console.log(error.code, error.message);
}
await streams.close();
await info.close();
