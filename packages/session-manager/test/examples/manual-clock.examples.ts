import assert from 'node:assert/strict';
import { InMemoryInfoSessionManager, type SessionRecord } from '@holdfast/session-manager';
import { ManualClock } from '@holdfast/session-manager/testing';

export function advance(record: SessionRecord): void {
	//#region advance
	const clock = new ManualClock();
	const info = new InMemoryInfoSessionManager({ clock });
	info.create({ ...record, lastUsedAt: clock.now(), idleTtlMs: 60_000 });
	clock.advance(60_000);
	assert.equal(info.read(record.id), undefined); // expired
	//#endregion advance
}
