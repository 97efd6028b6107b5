import assert from 'node:assert/strict';
import { InMemoryInfoSessionManager, InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { type Ability, type ManagerFactory, type Peer, runContract } from '@holdfast/session-manager-test-kit';
import { describe, it } from 'vitest';
import { register } from '../src/register.ts';
import { sampleRecord } from '../src/sample-record.ts';
import { brokered } from './broker-factory.ts';
import { inMemory } from './in-memory-factory.ts';
import { infoNodes } from './info-node.ts';
import { MinimalStreamSessionManager } from './minimal-stream-session-manager.ts';

/** A factory of in-memory managers, with something done otherwise. */
function factory(abilities: readonly string[], createPeers: (count: number) => unknown): ManagerFactory {
	return { abilities: abilities as Ability[], createPeers: createPeers as ManagerFactory['createPeers'] };
}

const both = () => ({ streams: new InMemoryStreamSessionManager(), info: new InMemoryInfoSessionManager() });
const group = (...peers: Peer[]) => ({ peers, close() {} });
const healthy = ['streams', 'info', 'history'];

describe('a factory is told what is wrong with it', () => {
	const shared = both();
	it.each<[wrong: string, factory: ManagerFactory]>([
		['declares "histroy", which is not one of streams, info', factory(['streams', 'histroy'], () => group(both()))],
		['declares neither "streams" nor "info"', factory([], () => group(both()))],
		['declares "history" without "streams"', factory(['info', 'history'], () => group(both()))],
		['declares "keepsEnded" without "info"', factory(['streams', 'keepsEnded'], () => group(both()))],
		['declares "capacity" without "info"', factory(['streams', 'capacity'], () => group(both()))],
		['declares "limits" without "history"', factory(['streams', 'limits'], () => group(both()))],
		['declares "partition" without "crossNode"', factory([...healthy, 'partition'], () => group(both()))],
		['was asked for 2 peers and returned 1', factory([...healthy, 'crossNode'], () => group(both()))],
		['returns a group without `close`', factory(healthy, () => ({ peers: [both()] }))],
		['declares "info" and returns a peer without `info`', factory(healthy, () => group({ streams: both().streams }))],
		['returns peers with `info` but does not declare "info"', factory(['streams', 'history'], () => group(both()))],
		[
			'returns the same `streams` manager for several peers',
			factory([...healthy, 'crossNode'], () => {
				const peer = both();
				return group(peer, peer);
			}),
		],
		['returns peers that do not share a backend', factory([...healthy, 'crossNode'], () => group(both(), both()))],
		['returns peers that find data of an earlier call', factory(healthy, () => group(shared))],
		[
			'declares "history", but the manager says that it is not resumable',
			factory(['streams', 'history'], () => group({ streams: new MinimalStreamSessionManager() })),
		],
		[
			'does not declare "history", but the manager says that it is resumable',
			factory(['streams', 'info'], () => group(both())),
		],
		['declares "outages" but returns no `backend.fail`', factory([...healthy, 'outages'], () => group(both()))],
		[
			'declares "partition" but returns no `backend.cutOff`',
			factory([...healthy, 'crossNode', 'partition'], () => group(both(), both())),
		],
		['declares "durable" but returns no `backend.restart`', factory([...healthy, 'durable'], () => group(both()))],
		['declares "dataLoss" but returns no `backend.loseData`', factory([...healthy, 'dataLoss'], () => group(both()))],
		[
			'cannot close its peers a second time',
			factory(healthy, () => {
				let closed = false;
				const close = () => {
					if (closed) throw new Error('closed already');
					closed = true;
				};
				return { peers: [both()], close };
			}),
		],
	])('%s', async (wrong, made) => {
		await assert.rejects(runContract(made), (error: Error) => error.message.includes(wrong));
	});

	it.each<[wrong: string, made: unknown]>([
		['`abilities` and `createPeers`, and is undefined.', undefined],
		['`abilities` and `createPeers`, and is null.', null],
		['`abilities` is no list', {}],
		['`abilities` is no list', { abilities: 'streams', createPeers() {} }],
		['`createPeers` is no function', { abilities: ['streams'] }],
	])('%s', async (wrong, made) => {
		const told = (error: Error) => error instanceof TypeError && error.message.includes(wrong);
		await assert.rejects(runContract(made as ManagerFactory), told);
		const runner = { group: assert.fail, test: assert.fail };
		assert.throws(() => register(made as ManagerFactory, runner), told);
	});

	const has = (answer: boolean) => () => {
		const streams = new MinimalStreamSessionManager();
		streams.has = () => answer;
		return { streams };
	};
	const readsAnything = () => {
		const info = new InMemoryInfoSessionManager();
		info.read = sampleRecord;
		return { info };
	};
	const subscribesAll = () => {
		const info = new InMemoryInfoSessionManager();
		info.getSubscriptions = () => ['left-behind'];
		return { info };
	};
	it.each<[gave: string, either: string, factory: ManagerFactory]>([
		[
			"`streams.has('left-behind')` gave true",
			'or `streams.has` finds what is not there',
			factory(['streams'], () => group(has(true)())),
		],
		[
			"`info.read('left-behind')` gave a record",
			'or `info.read` finds what is not there',
			factory(['info'], () => group(readsAnything())),
		],
		[
			'`info.getSubscriptions(\'x:left-behind\')` gave ["left-behind"]',
			'or `info.getSubscriptions` finds what is not there',
			factory(['info'], () => group(subscribesAll())),
		],
		[
			"`streams.has('left-behind')` of another gave false",
			'or `streams.has` does not find what is there',
			factory(['streams', 'crossNode'], () => group(has(false)(), has(false)())),
		],
	])('of which method found what: %s', async (gave, either, made) => {
		await assert.rejects(runContract(made), ({ message }: Error) => {
			assert.ok(message.includes(gave) && message.includes(either), message);
			return true;
		});
	});

	it('and is not where it is healthy', async () => {
		for (const made of [inMemory(), brokered(), infoNodes()]) assert.deepEqual(await runContract(made, []), []);
	});
});
