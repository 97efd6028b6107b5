import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import { lookAlikes, visibleCharacters } from '../hostile-texts.js';
import { infoPromises } from '../info-promises.js';
import { sampleRecord } from '../sample-record.js';

/** Ids and resources that look alike, on any peer. */
export const exactCases: readonly ContractCase[] = [
	{
		id: 'info/hostile-ids',
		promise: infoPromises.exact,
		title: 'sessions with ids of any visible characters, up to 1 KB long, stay apart from look-alikes',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const ids = [...new Set([...visibleCharacters, ...lookAlikes.filter((id) => !id.includes(' '))])];
			for (const [n, id] of ids.entries()) {
				assert.equal(await (n % 2 === 0 ? a : b).create(sampleRecord(id, { createdAt: n })), true, id);
				await a.addSubscription(id, 'x:all');
				await b.addSubscription(id, `x:${n}`);
				await a.writeState(id, 'n', undefined, `s${n}`);
			}
			assert.deepEqual((await b.getSubscriptions('x:all')).sort(), [...ids].sort());
			for (const id of ids.filter((_, n) => n % 2 === 0)) assert.equal(await b.delete(id), true, id);
			for (const [n, id] of ids.entries()) {
				const gone = n % 2 === 0;
				assert.equal((await b.read(id))?.createdAt, gone ? undefined : n, id);
				assert.equal((await a.readState(id, 'n'))?.value, gone ? undefined : `s${n}`, id);
				assert.deepEqual(await b.getSubscriptions(`x:${n}`), gone ? [] : [id]);
				assert.deepEqual((await a.getSubscribedUris(id)).sort(), gone ? [] : [`x:${n}`, 'x:all'].sort());
			}
		},
	},
	{
		id: 'info/lone-surrogates',
		promise: infoPromises.exact,
		title: 'resources, keys and principals with lone surrogates, all the same in UTF-8, stay apart',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const texts = ['x:\ud800', 'x:\udfff', 'x:\ufffd', '\u0001"x:\\ud800"'];
			for (const [n, text] of texts.entries()) {
				await a.create(sampleRecord(`s${n}`, { principal: text }));
				await b.addSubscription(`s${n}`, text);
				assert.equal(await a.writeState('s0', text, undefined, `s${n}`), true, text);
			}
			assert.deepEqual([...(await b.listState('s0')).keys()].sort(), [...texts].sort());
			for (const [n, text] of texts.entries()) {
				assert.equal((await b.read(`s${n}`))?.principal, text);
				assert.deepEqual(await b.sessionsOf(text), [`s${n}`]);
				assert.deepEqual(await a.getSubscriptions(text), [`s${n}`]);
				assert.deepEqual(await b.getSubscribedUris(`s${n}`), [text]);
				assert.equal((await b.readState('s0', text))?.value, `s${n}`);
			}
			assert.equal(await a.removeSubscription('s0', texts[0] ?? ''), true);
			assert.equal(await a.delete('s1'), true);
			assert.deepEqual(await b.sessionsOf(texts[1] ?? ''), []);
			assert.deepEqual(await b.getSubscriptions(texts[2] ?? ''), ['s2']);
		},
	},
	{
		id: 'info/hostile-resources',
		promise: infoPromises.subscribers,
		title: 'resources of any characters, up to 1 KB long, stay apart from look-alikes',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const uris = [...new Set([...lookAlikes, 'x:ä€😀', 'x:a\nb', ' ', 'file:///a', 'file:///A', 'file:///a/'])];
			for (const [n, uri] of uris.entries()) {
				await a.create(sampleRecord(`s${n}`));
				assert.equal(await b.addSubscription(`s${n}`, uri), true);
			}
			for (const [n, uri] of uris.entries()) {
				assert.deepEqual(await a.getSubscriptions(uri), [`s${n}`], uri);
				assert.deepEqual(await a.getSubscribedUris(`s${n}`), [uri]);
			}
			await b.removeSubscription('s0', uris[0] ?? '');
			assert.deepEqual(await b.getSubscriptions(uris[0] ?? ''), []);
			assert.deepEqual(await b.getSubscriptions(uris[1] ?? ''), ['s1']);
		},
	},
];
