import assert from 'node:assert/strict';
import type { InfoSessionManager } from '@holdfast/session-manager';

/** Returns the ids of every page of a scan. */
export async function pages(
	info: InfoSessionManager,
	limit: number,
	between: () => Promise<void> = async () => {},
): Promise<string[][]> {
	const found: string[][] = [];
	let cursor: string | undefined;
	do {
		const page = await info.scan(cursor, limit);
		found.push(page.records.map(({ id }) => id));
		cursor = page.cursor;
		await between();
	} while (cursor !== undefined);
	return found;
}

/** Asserts that session `id` reads as nothing, and that no write brings it back. */
export async function assertUnknown(info: InfoSessionManager, id: string): Promise<void> {
	assert.equal(await info.read(id), undefined);
	assert.equal(await info.getClientInfo(id), undefined);
	assert.equal(await info.getClientCapabilities(id), undefined);
	assert.equal(await info.getLogLevel(id), undefined);
	assert.deepEqual(await info.getSubscribedUris(id), []);
	assert.equal(await info.readState(id, 'key'), undefined);
	assert.deepEqual(await info.listState(id), new Map());

	assert.equal(await info.update(id, { logLevel: 'debug' }), false);
	assert.equal(await info.update(id, { idleTtlMs: undefined, endsAt: undefined }), false);
	assert.equal(await info.touch(id, 1e15), false);
	assert.equal(await info.setClientInfo(id, { name: 'ghost', version: '0' }), false);
	assert.equal(await info.setClientCapabilities(id, {}), false);
	assert.equal(await info.setLogLevel(id, 'debug'), false);
	assert.equal(await info.addSubscription(id, 'file:///a'), false);
	assert.equal(await info.removeSubscription(id, 'file:///a'), false);
	for (const expected of ['*', undefined, '1']) {
		for (const value of ['s1', undefined]) assert.equal(await info.writeState(id, 'key', expected, value), false);
	}
	assert.equal(await info.delete(id), false);

	assert.equal(await info.read(id), undefined);
	assert.deepEqual(await info.getSubscribedUris(id), []);
	assert.deepEqual(await info.listState(id), new Map());
	assert.equal((await info.getSubscriptions('file:///a')).includes(id), false);
	assert.equal((await pages(info, 100)).flat().includes(id), false);
}
