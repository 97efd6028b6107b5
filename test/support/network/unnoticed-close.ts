import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import type { TcpProxy } from './tcp-proxy.ts';

/** Asserts that `read` finds something in the turn in which a connection has closed and nobody was told so yet. */
export async function assertReadAtClose(proxy: TcpProxy, read: () => unknown): Promise<void> {
	for (const close of [() => proxy.drop(), () => proxy.finish()]) {
		await setImmediate();
		close();
		// The event loop has read what came, and has not told yet what closed.
		await setImmediate();
		assert.notEqual(await read(), undefined);
	}
}
