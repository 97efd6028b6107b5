import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { onTestFinished } from 'vitest';

/** What a proxy does to what passes. */
export interface Tampering {
	/** Makes for each connection what returns of what the server said what the client gets. */
	readonly reply?: () => (text: string) => string;
	/** How long what the server said takes, in milliseconds. */
	readonly delayMs?: number;
	/** After how long every connection is cut, in milliseconds. */
	readonly cutMs?: number;
}

/** Starts a proxy to port `target` of 127.0.0.1 that is wrong in one way, until the test is over. Returns its port. */
export async function tamperingProxy(target: number, { reply, delayMs = 0, cutMs }: Tampering): Promise<number> {
	const server = createServer((client) => {
		const upstream = connect(target, '127.0.0.1');
		const change = reply?.();
		const cut = cutMs === undefined ? undefined : setTimeout(() => client.resetAndDestroy(), cutMs);
		client.on('data', (data) => upstream.write(data));
		upstream.on('data', (data) => {
			const changed = change === undefined ? data : Buffer.from(change(data.toString('latin1')), 'latin1');
			setTimeout(() => client.write(changed), delayMs);
		});
		for (const [one, other] of [
			[client, upstream],
			[upstream, client],
		] as const) {
			one.on('error', () => {});
			one.on('close', () => {
				clearTimeout(cut);
				setTimeout(() => other.destroy(), delayMs);
			});
		}
	}).listen(0, '127.0.0.1');
	await once(server, 'listening');
	onTestFinished(() => {
		server.close();
	});
	return (server.address() as AddressInfo).port;
}

/** Leaves the notifications out of what PostgreSQL says, as a pooler does that hands connections out in turn. */
export function withoutNotifications(): (text: string) => string {
	let rest = '';
	return (text) => {
		let passed = '';
		rest += text;
		while (rest.length >= 5) {
			const length = 1 + Buffer.from(rest.slice(1, 5), 'latin1').readInt32BE();
			if (rest.length < length) break;
			if (!rest.startsWith('A')) passed += rest.slice(0, length);
			rest = rest.slice(length);
		}
		return passed;
	};
}
