import assert from 'node:assert/strict';
import { SessionState } from '@holdfast/session-manager';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import type { BenchStore } from './bench-stores.js';
import { median } from './median.js';
import { managersOn, storeVariables } from './servers/managers.js';

/** Sessions whose state changes, one change of each in flight: as many as the highest concurrency. */
const SESSIONS = 16;
const CONCURRENCY = [1, SESSIONS] as const;
const ROUNDS = 4;

export type StateChange = 'update' | 'increment';

/** How many changes are made in a second, and its ratio to what the bare client does with one command, where there is one. */
export interface StateSpeed {
	readonly change: StateChange;
	readonly concurrency: number;
	readonly perSecond: number;
	readonly ofBare: number | undefined;
}

/** Makes a change of the session with this number. */
type Change = (session: number) => Promise<unknown>;

/** Bare clients of a store, which do the same with one command. */
interface BareChanges extends Record<StateChange, Change> {
	close(): unknown;
}

/** Measures changes of session state on a store, in rounds that interleave them with those of its bare client. */
export async function stateSpeeds(store: BenchStore, ms: number, rounds: number): Promise<StateSpeed[]> {
	const { info, streams } = await managersOn(store.name, { durability: store.durability });
	const bare = await bareChanges(store);
	try {
		const states: SessionState[] = [];
		let incremented = 0;
		for (let n = 0; n < SESSIONS; n++) states.push(await sessionState(info, `state-${store.title}-${n}`));
		const changes: Record<StateChange, Change> = {
			increment: async (n) => {
				await states[n]?.increment('counter');
				incremented++;
			},
			update: async (n) =>
				states[n]?.update('text', (value) => `${typeof value === 'string' ? value.slice(-90) : ''}x`),
		};
		for (let n = 1; n <= 3; n++) {
			await changes.increment(0);
			assert.equal(await states[0]?.get('counter'), n);
			await changes.update(0);
			assert.equal(await states[0]?.get('text'), 'x'.repeat(n));
		}
		const speeds: StateSpeed[] = [];
		for (const change of ['update', 'increment'] as const) {
			for (const concurrency of CONCURRENCY) {
				const [ours, ratios]: [number[], number[]] = [[], []];
				// The first round is the warm-up.
				for (let round = 0; round <= Math.min(rounds, ROUNDS); round++) {
					const own = await perSecond(changes[change], concurrency, ms);
					const theirs = bare && (await perSecond(bare[change], concurrency, ms));
					if (round === 0) continue;
					ours.push(own);
					if (theirs !== undefined) ratios.push(own / theirs);
				}
				speeds.push({ change, concurrency, perSecond: median(ours) ?? Number.NaN, ofBare: median(ratios) });
			}
		}
		// Nothing was lost on the way.
		const counted = await Promise.all(states.map((state) => state.get('counter')));
		assert.equal(
			counted.reduce<number>((sum, value) => sum + Number(value ?? 0), 0),
			incremented,
		);
		return speeds;
	} finally {
		await bare?.close();
		await info.close();
		await streams.close();
	}
}

async function sessionState(info: Awaited<ReturnType<typeof managersOn>>['info'], id: string): Promise<SessionState> {
	const now = Date.now();
	const clientInfo = { name: 'bench', version: '1' };
	await info.create({
		id,
		protocolVersion: '2025-11-25',
		initializeParams: { protocolVersion: '2025-11-25', clientInfo, capabilities: {} },
		serverCapabilities: {},
		createdAt: now,
		lastUsedAt: now,
	});
	return new SessionState(info, id);
}

async function perSecond(change: Change, concurrency: number, ms: number): Promise<number> {
	const begunAt = performance.now();
	const endsAt = begunAt + ms;
	let count = 0;
	const work = async (session: number) => {
		for (; performance.now() < endsAt; count++) await change(session);
	};
	await Promise.all(Array.from({ length: concurrency }, (_, n) => work(n)));
	return (count / (performance.now() - begunAt)) * 1_000;
}

async function bareChanges({ name, durability }: BenchStore): Promise<BareChanges | undefined> {
	if (name === 'redis') {
		const client = new Redis(process.env[storeVariables.redis] ?? '');
		client.defineCommand('shift', {
			numberOfKeys: 1,
			lua: `local v = string.sub(redis.call('HGET', KEYS[1], 'text') or '', -90) .. 'x'
redis.call('HSET', KEYS[1], 'text', v)
return v`,
		});
		return {
			increment: (n) => client.hincrby(`bare-${n}`, 'counter', 1),
			update: (n) => (client as Redis & { shift(key: string): Promise<string> }).shift(`bare-${n}`),
			close: () => client.disconnect(),
		};
	}
	if (name !== 'postgres') return undefined;
	const client = new Pool({
		connectionString: process.env[storeVariables.postgres],
		max: SESSIONS,
		// The same promise as ours.
		options: `-c synchronous_commit=${durability === 'strict' ? 'on' : 'off'}`,
	});
	await client.query('create table if not exists bare (id integer primary key, counter bigint, text text)');
	await client.query(
		`insert into bare select n, 0, '' from generate_series(0, ${SESSIONS - 1}) n on conflict do nothing`,
	);
	const run = (name: string, text: string) => (n: number) => client.query({ name, text, values: [n] });
	return {
		increment: run('increment', 'update bare set counter = counter + 1 where id = $1 returning counter'),
		update: run('update', "update bare set text = right(text, 90) || 'x' where id = $1 returning text"),
		close: () => client.end(),
	};
}
