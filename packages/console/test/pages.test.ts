import { ConversationError, Conversations, InMemoryConversationStore } from '@holdfast/conversations';
import { type Clock, SessionManagerError } from '@holdfast/session-manager';
import { encodeStateValue } from '@holdfast/session-manager/internal';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../../../test/support/until.ts';
import { shortHash } from '../src/data/short-hash.ts';
import { type ConsoleRig, recordOf, sendForm, startConsole, tokenOf } from './support/console-rig.ts';

const ann = 'https://id.example ann';
const annsPage = `person?principal=${encodeURIComponent(ann)}`;

async function consoleOf(options: Parameters<typeof startConsole>[0] = {}, transportOptions = {}): Promise<ConsoleRig> {
	const rig = await startConsole(options, transportOptions);
	onTestFinished(() => rig.close());
	return rig;
}

async function textOf(url: string, status = 200): Promise<string> {
	const response = await fetch(url);
	expect({ url, status: response.status }).toEqual({ url, status });
	return response.text();
}

describe('with 10,000 sessions', () => {
	/** The largest page, in bytes. */
	const MAX_PAGE = 200_000;
	let rig: ConsoleRig;
	let elapsed = 0;
	/** Nothing happens by itself, so that only what a page needs is counted. */
	const clock: Clock = { now: Date.now, monotonic: () => elapsed, after: () => () => {} };

	beforeAll(async () => {
		rig = await startConsole({ clock });
		const long = '𝕏'.repeat(4_000);
		for (let n = 0; n < 10_000; n++) {
			const record = recordOf(`session-${n}`, {
				client: `client ${n % 300} ${long}`,
				principal: `https://${'issuer'.repeat(100)}.example person-${n % 2_500}-${'p'.repeat(500)}`,
				...(n % 4 === 0 && { status: 'suspended' }),
			});
			rig.info.create(record);
		}
		for (let n = 0; n < 2_000; n++) rig.info.addSubscription('session-7', `file:///${n}/${'u'.repeat(500)}`);
		for (let n = 0; n < 2_000; n++) rig.info.writeState('session-7', `key-${n}-${'k'.repeat(200)}`, '*', '"value"');
		for (let n = 0; n < 600; n++)
			rig.activity.event({ type: 'session-ended', sessionId: `${n}`, reason: `reason ${n} ${long}` }, 'node');
		return () => rig.close();
	});

	test.each([
		['the overview', '', 22, 2],
		['sessions', 'sessions', 1, 1],
		['sessions of a status', 'sessions?status=suspended', 10, 10],
		['sessions of few clients', 'sessions?q=client+299', 10, 10],
		['sessions that nobody has', 'sessions?q=nobody', 10, 10],
		['people', 'people', 20, 0],
		['nodes', 'nodes', 2, 2],
		['activity', 'activity', 0, 0],
		['one session', `sessions/${shortHash('session-7')}`, 20, 2],
		['its state', `sessions/${shortHash('session-7')}?state=1`, 3, 3],
	])('%s is a small page, and reads the store seldom', async (_, path, firstReads, laterReads) => {
		elapsed += 60_000;
		for (const most of [firstReads, laterReads]) {
			elapsed += 2_000;
			rig.info.reads = [];
			const text = await textOf(`${rig.url}${path}`);
			expect(Buffer.byteLength(text)).toBeLessThan(MAX_PAGE);
			expect(Buffer.byteLength(text)).toBeGreaterThan(2_000);
			expect(rig.info.reads.length).toBeLessThanOrEqual(most);
		}
	});

	test('the pages of a filtered list show every session that fits once', async () => {
		const seen: string[] = [];
		let next: string | undefined = 'sessions?q=CLIENT+299+';
		while (next !== undefined) {
			const text: string = await textOf(`${rig.url}${next}`);
			seen.push(...[...text.matchAll(/href="\.\/sessions\/([0-9a-f]{12})"/g)].map(([, hash = '']) => hash));
			next = nextOf(text);
		}
		const fitting = Array.from({ length: 10_000 }, (_, n) => n).filter((n) => n % 300 === 299);
		expect(seen.sort()).toEqual(fitting.map((n) => shortHash(`session-${n}`)).sort());
	});

	test('a place in a list that the console did not write begins the list anew', async () => {
		for (const after of ['x', 'A'.repeat(100), '../../etc', '%00'])
			expect(await textOf(`${rig.url}sessions?after=${after}`)).toContain('The list begins again');
	});
});

test('the pages of a list show every session once', async () => {
	const { url, info } = await consoleOf();
	for (let n = 0; n < 1_010; n++)
		info.create(n % 7 === 0 ? recordOf(`task ${n}`, { kind: 'task' }) : recordOf(`session-${n}`));
	const seen: string[] = [];
	let next: string | undefined = 'sessions';
	while (next !== undefined) {
		const text: string = await textOf(`${url}${next}`);
		const rows = [...text.matchAll(/href="\.\/sessions\/([0-9a-f]{12})"/g)].map(([, hash = '']) => hash);
		expect(rows.length).toBeLessThanOrEqual(50);
		seen.push(...rows);
		next = nextOf(text);
	}
	const sessions = Array.from({ length: 1_010 }, (_, n) => n).filter((n) => n % 7 !== 0);
	expect(seen.sort()).toEqual(sessions.map((n) => shortHash(`session-${n}`)).sort());
});

function nextOf(text: string): string | undefined {
	return /href="\.\/([^"]+)" rel="next"/.exec(text)?.[1]?.replaceAll('&amp;', '&');
}

test('who opens a session is seen, with what happened', async () => {
	const { url, endpoint } = await consoleOf();
	const response = await fetch(endpoint, {
		method: 'POST',
		headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
		body: JSON.stringify({
			jsonrpc: '2.0',
			id: 1,
			method: 'initialize',
			params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'probe', version: '7' } },
		}),
	});
	const hash = shortHash(response.headers.get('mcp-session-id') ?? '');
	for (const path of ['', 'sessions', 'activity', 'sessions?q=PROBE']) {
		const text = await textOf(`${url}${path}`);
		expect(text).toContain(hash);
		expect(text).toContain('probe 7');
	}
	const found = await fetch(`${url}sessions?q=${hash}`, { redirect: 'manual' });
	expect([found.status, found.headers.get('location')]).toEqual([303, `./sessions/${hash}`]);
});

describe('actions', () => {
	test('an end needs a reason, ends the session, and leaves who, what, when and why', async () => {
		const { url, info, audit } = await consoleOf();
		info.create(recordOf('to-end', { keepEndedMs: 60_000 }));
		const page = `${url}sessions/${shortHash('to-end')}`;
		const token = await tokenOf(page);
		const without = await sendForm(`${page}/end`, { token, reason: '  ' });
		expect(without.headers.get('location')).toBe(`../../sessions/${shortHash('to-end')}?done=reason`);
		expect(audit).toEqual([]);
		const before = Date.now();
		const response = await sendForm(`${page}/end`, { token, reason: 'the account was closed' });
		expect([response.status, response.headers.get('location')]).toEqual([
			303,
			`../../sessions/${shortHash('to-end')}?done=ended`,
		]);
		expect(audit).toMatchObject([
			{ action: 'terminate', by: 'ann', reason: 'the account was closed', sessionId: 'to-end', done: true },
		]);
		expect(audit[0]?.at).toBeGreaterThanOrEqual(before);
		const ended = await textOf(`${page}?done=ended`);
		for (const text of ['was ended on every node', 'the account was closed']) expect(ended).toContain(text);
		expect(ended).not.toContain('<form method="post"');
		const again = await sendForm(`${page}/end`, { token, reason: 'again' });
		expect(again.headers.get('location')).toBe('../../sessions?done=unknown');
	});

	test('a suspended session leaves the nodes, and is audited', async () => {
		const { url, info, audit } = await consoleOf();
		info.create(recordOf('to-suspend'));
		const page = `${url}sessions/${shortHash('to-suspend')}`;
		const token = await tokenOf(page);
		for (const done of ['suspended', 'busy']) {
			const response = await sendForm(`${page}/suspend`, { token });
			expect(response.headers.get('location')).toBe(`../../sessions/${shortHash('to-suspend')}?done=${done}`);
		}
		expect(info.read('to-suspend')?.status).toBe('suspended');
		expect(audit).toMatchObject([
			{ action: 'suspend', by: 'ann', sessionId: 'to-suspend', done: true },
			{ action: 'suspend', by: 'ann', done: false },
		]);
	});

	test('what is stored of a person is saved as a file, and audited', async () => {
		const { url, info, audit } = await consoleOf();
		info.create(recordOf('of-ann', { principal: ann }));
		info.writeState('of-ann', 'cart', '*', encodeStateValue('a value'));
		const token = await tokenOf(`${url}${annsPage}`);
		const response = await sendForm(`${url}person/export`, { token, principal: ann, reason: 'she asked' });
		expect(response.headers.get('content-disposition')).toBe('attachment; filename="person.json"');
		expect(await response.json()).toMatchObject({ principal: ann, sessions: [{ status: 'active' }] });
		expect(audit).toMatchObject([{ action: 'export', by: 'ann', reason: 'she asked', principal: ann, done: true }]);
	});

	test('a person is erased once it is confirmed and said why', async () => {
		const { url, info, audit } = await consoleOf();
		for (const id of ['one', 'two']) info.create(recordOf(id, { principal: ann }));
		info.create(recordOf('of-bob', { principal: 'https://id.example bob' }));
		const token = await tokenOf(`${url}${annsPage}`);
		for (const wrong of [
			{ reason: 'she asked' },
			{ reason: 'she asked', confirm: 'yes' },
			{ reason: '', confirm: 'erase' },
		])
			expect((await sendForm(`${url}person/erase`, { token, principal: ann, ...wrong })).status).toBe(303);
		expect(info.sessionsOf(ann)).toHaveLength(2);
		const form = { token, principal: ann, reason: 'she asked', confirm: 'erase' };
		const response = await sendForm(`${url}person/erase`, form);
		expect(response.headers.get('location')).toBe('../people?done=erased');
		expect(info.sessionsOf(ann)).toEqual([]);
		expect(info.read('of-bob')).toBeDefined();
		expect(audit).toMatchObject([{ action: 'erase', by: 'ann', reason: 'she asked', principal: ann, done: true }]);
	});

	describe('with conversations', () => {
		/** Ann owns one, wrote in one of Bob's, and has a session. */
		async function consoleWith() {
			const store = new InMemoryConversationStore();
			const conversations = new Conversations(store, { sweepIntervalMs: 0 });
			await (await conversations.of(ann).create({ id: 'hers', title: 'Hers' })).setContext('k', 'a value of hers');
			const his = await conversations.of('bob').create({ id: 'his', title: 'His' });
			await his.setMember(ann, 'writer');
			await conversations.of(ann).at('his').addMessage({ role: 'user', content: 'for Bob' });
			const rig = await consoleOf({ conversations });
			rig.info.create(recordOf('of-ann', { principal: ann }));
			const token = await tokenOf(`${rig.url}${annsPage}`);
			const act = (action: string) =>
				sendForm(`${rig.url}person/${action}`, { token, principal: ann, reason: 'she asked', confirm: 'erase' });
			return { ...rig, store, his, act };
		}

		test('they are counted, exported and erased with a person, and the page says so', async () => {
			const { url, info, store, his, act, audit } = await consoleWith();
			const page = await textOf(`${url}${annsPage}`);
			expect(page).toMatch(/<dt>Own<\/dt><dd>1<\/dd>[\s\S]*<dt>Of others<\/dt><dd>1<\/dd>/);
			expect(page).toContain('the conversations that they own, for everybody');
			const exported = await (await act('export')).json();
			expect(exported).toMatchObject({ principal: ann, sessions: [{ status: 'active' }], notCovered: [] });
			expect(JSON.stringify(exported)).toContain('a value of hers');
			expect((await act('erase')).headers.get('location')).toBe('../people?done=all-erased');
			expect(store.read('hers')).toBeUndefined();
			expect(await his.history()).toMatchObject([{ content: '[erased]' }]);
			expect(info.sessionsOf(ann)).toEqual([]);
			const common = { by: 'ann', reason: 'she asked', principal: ann, done: true };
			expect(audit).toMatchObject([
				{ ...common, action: 'export' },
				{ ...common, action: 'export', data: 'conversations' },
				{ ...common, action: 'erase' },
				{ ...common, action: 'erase', data: 'conversations' },
			]);
		});

		test('what could not be erased is named, and the rest is erased', async () => {
			const { info, store, act, audit } = await consoleWith();
			store.eraseAuthor = () => {
				throw new ConversationError('corrupt', 'It is damaged.');
			};
			const response = await act('erase');
			expect(response.status).toBe(500);
			expect(await response.text()).toMatch(/Not all is erased[\s\S]*not these conversations: &quot;his&quot;/);
			expect(store.read('hers')).toBeUndefined();
			expect(info.sessionsOf(ann)).toEqual([]);
			expect(audit.at(-1)).toMatchObject({ action: 'erase', data: 'conversations', done: false });
		});

		test('somebody without a session is found by their whole name', async () => {
			const { url } = await consoleWith();
			const dana = 'https://id.example dana';
			expect(await textOf(`${url}people?${new URLSearchParams({ q: dana })}`)).toContain(
				`href="./person?${new URLSearchParams({ principal: dana })}"`,
			);
		});
	});

	test('without conversations, page, export and outcome say that these are not part of it', async () => {
		const { url, info } = await consoleOf();
		info.create(recordOf('of-ann', { principal: ann }));
		const page = await textOf(`${url}${annsPage}`);
		expect(page.match(/Conversations are not part of it: this console knows of none\./g)).toHaveLength(2);
		const form = { token: await tokenOf(`${url}${annsPage}`), principal: ann, reason: 'she asked', confirm: 'erase' };
		expect(await (await sendForm(`${url}person/export`, form)).json()).toMatchObject({
			notCovered: ['conversations'],
		});
		const { headers } = await sendForm(`${url}person/erase`, form);
		expect(await textOf(new URL(headers.get('location') ?? '', `${url}person/erase`).href)).toContain(
			'Conversations were not.',
		);
	});

	test('the doctor looks when it is asked to, once at a time', async () => {
		let finish: (found: unknown) => void = () => {};
		let looks = 0;
		const diagnose = () => {
			looks++;
			return new Promise<never>((resolve) => {
				finish = resolve as typeof finish;
			});
		};
		const { url } = await consoleOf({ diagnose });
		const token = await tokenOf(`${url}doctor`);
		for (let n = 0; n < 2; n++) await sendForm(`${url}doctor/examine`, { token });
		expect(looks).toBe(1);
		expect(await textOf(`${url}doctor`)).toContain('It has been looking for');
		finish({ examined: ['redis://db'], findings: [{ code: 'x', what: 'It <swaps>.', repair: 'Buy memory.' }] });
		await until('what it found is shown', async () => (await textOf(`${url}doctor`)).includes('It &lt;swaps&gt;.'));
		expect(await textOf(`${url}doctor`)).toContain('Buy memory.');
	});

	test('without a doctor there is no page for it', async () => {
		const { url } = await consoleOf();
		expect(await textOf(url)).not.toContain('href="./doctor"');
	});
});

test('what is kept of a person without a session is counted beside their sessions', async () => {
	const { url, info } = await consoleOf();
	info.create(recordOf('of-ann', { principal: ann }));
	for (let n = 0; n < 3; n++) info.create(recordOf(`task ${n}`, { principal: ann, kind: 'task' }));
	expect(await textOf(`${url}${annsPage}`)).toMatch(/<dt>Tasks<\/dt><dd>3<\/dd>/);
	expect(await textOf(`${url}sessions`)).not.toContain(shortHash('task 1'));
});

test('an outcome that nobody wrote is not shown', async () => {
	const { url } = await consoleOf();
	for (const done of ['toString', '__proto__', '<b>Sent</b>']) {
		expect(await textOf(`${url}?done=${encodeURIComponent(done)}`)).not.toContain('Sent');
	}
});

test('while the store is away the overview says so, and other pages come back with it', async () => {
	const { url, info } = await consoleOf();
	info.create(recordOf('one'));
	info.failure = new SessionManagerError('unavailable', 'The store is <gone>.');
	const overview = await textOf(url);
	for (const text of ['Away', 'The store is &lt;gone&gt;.']) expect(overview).toContain(text);
	for (const path of ['sessions', 'people', 'person?principal=x', `sessions/${shortHash('one')}`]) {
		const response = await fetch(`${url}${path}`);
		expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
		expect(await response.text()).toContain('The store is away');
	}
	info.failure = undefined;
	await textOf(`${url}sessions`);
});

test('a page that cannot be made is reported, and says nothing of why', async () => {
	const errors: Error[] = [];
	const { url, info } = await consoleOf({ onerror: (error) => errors.push(error) });
	info.failure = new Error('password=secret');
	expect(await textOf(`${url}sessions`, 500)).not.toContain('secret');
	expect(errors).toMatchObject([{ message: 'password=secret' }]);
});

test('it mounts at any path, and leaves others to whoever is next', async () => {
	const { url, endpoint } = await consoleOf({ path: '/admin/holdfast' });
	expect(new URL(url).pathname).toBe('/admin/holdfast/');
	expect(await textOf(url.slice(0, -1))).toContain('<h1>Overview</h1>');
	expect(await textOf(`${url}assets/style.css`)).toContain('--accent');
	expect((await fetch(endpoint)).status).toBe(400);
	expect(await textOf(`${url}no-such-page`, 404)).toContain('There is no such page');
	const head = await fetch(url, { method: 'HEAD' });
	expect([head.status, await head.text()]).toEqual([200, '']);
});

describe('live', () => {
	/** Reads the events of a console, until the test is over. */
	async function eventsOf(url: string): Promise<() => number> {
		const aborted = new AbortController();
		onTestFinished(() => aborted.abort());
		const { body } = await fetch(`${url}events`, { signal: aborted.signal });
		let text = '';
		void (async () => {
			for await (const chunk of body ?? []) text += Buffer.from(chunk).toString();
		})().catch(() => {});
		await until('the stream begins', () => text.includes('retry:'));
		return () => text.match(/^event: changed$/gm)?.length ?? 0;
	}

	test('open pages hear that something changed, and nothing of what it was', async () => {
		const { url, activity } = await consoleOf();
		const count = await eventsOf(url);
		activity.event({ type: 'session-suspended', sessionId: 'one' }, 'node');
		await until('the page is told', () => count() === 1);
		for (let n = 0; n < 100; n++) activity.event({ type: 'session-suspended', sessionId: 'one' }, 'node');
		await until('the page is told again', () => count() === 2);
	});

	test('a node that goes without a word is shown as gone', async () => {
		const { url, info } = await consoleOf();
		const node = {
			id: 'node-b',
			version: '1',
			startedAt: Date.now(),
			state: 'ready',
			counts: { sessions: 3 },
		} as const;
		info.announceNode(node, 60_000);
		const count = await eventsOf(url);
		expect(await textOf(`${url}nodes`)).toMatch(/node-b[\s\S]*ready/);
		info.announceNode(node, 0);
		await until('the page is told', () => count() > 0);
		expect(await textOf(`${url}nodes`)).toMatch(/node-b[\s\S]*pill bad">gone/);
		expect(await textOf(`${url}activity`)).toContain('gone without a word');
		info.announceNode(node, 60_000);
		await until('it is back', async () => !(await textOf(`${url}nodes`)).includes('pill bad">gone'));
	});

	test('no more than a hundred pages are live', async () => {
		const { url } = await consoleOf();
		const aborted = new AbortController();
		onTestFinished(() => aborted.abort());
		const open = () => fetch(`${url}events`, { signal: aborted.signal });
		const opened = await Promise.all(Array.from({ length: 100 }, open));
		expect(new Set(opened.map(({ status }) => status))).toEqual(new Set([200]));
		expect((await open()).status).toBe(503);
	});
});
