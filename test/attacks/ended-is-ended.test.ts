import { beforeEach, expect, test } from 'vitest';
import { letters, useCluster } from '../../apps/everything-server/test/many-nodes/support/cluster.ts';
import { range, WireSession } from '../../apps/everything-server/test/many-nodes/support/wire-session.ts';

const cluster = useCluster();

beforeEach(() => cluster.heal());

/** Sessions that every node has in its cache. */
async function openKnown(count: number): Promise<WireSession[]> {
	return Promise.all(
		range(1, count).map(async (n) => {
			const session = await WireSession.open(cluster.node(n));
			for (const letter of letters) expect(await session.ping(cluster.at(letter))).toBe(200);
			return session;
		}),
	);
}

test('once DELETE is answered, every node answers 404', async () => {
	const sessions = await openKnown(60);
	const after = await Promise.all(
		sessions.map(async (session, n) => {
			expect((await session.end(cluster.node(n))).status).toBe(200);
			return Promise.all(letters.map((letter) => session.ping(cluster.at(letter))));
		}),
	);
	expect(after).toEqual(sessions.map(() => [404, 404, 404]));
});

test('once logging/setLevel is answered, every node keeps to the level', async () => {
	const sessions = await openKnown(30);
	const levels = ['warning', 'debug', 'error'];
	const after = await Promise.all(
		sessions.map(async (session, n) => {
			const heard: string[] = [];
			for (const level of levels) {
				await (await session.request(cluster.node(n), 'logging/setLevel', { level })).text();
				const infos = await Promise.all(letters.map((letter) => session.info(cluster.at(letter))));
				heard.push(...new Set(infos.map(({ logLevel }) => logLevel)));
			}
			return heard;
		}),
	);
	expect(after).toEqual(sessions.map(() => levels));
});

test('a node that was frozen serves nothing that ended meanwhile, whatever it still has to hear', async () => {
	const sessions = await openKnown(6);
	const c = cluster.at('C');
	c.pause();
	for (const session of sessions) expect((await session.end(cluster.at('A'))).status).toBe(200);
	// They wait at its door when it wakes up, before the news.
	const statuses = sessions.map((session) => session.ping(c));
	for (const session of sessions) expect(await session.ping(cluster.at('B'))).toBe(404);
	c.resume();
	expect(await Promise.all(statuses)).toEqual(sessions.map(() => 404));
});
