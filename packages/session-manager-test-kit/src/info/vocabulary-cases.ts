import assert from 'node:assert/strict';
import { LOG_LEVELS } from '@holdfast/session-manager/custom';
import type { ContractCase } from '../contract-case.js';
import { infoPromises } from '../info-promises.js';
import { sampleRecord } from '../sample-record.js';

/** The vocabulary of the base class, on any peer. */
export const vocabularyCases: readonly ContractCase[] = [
	{
		id: 'info/client-info',
		promise: infoPromises.clientInfo,
		title: 'what the client said of itself is told on every peer',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const clientInfo = { name: 'client', version: '2.0.0', title: 'A client' };
			await a.create(sampleRecord('s', { initializeParams: { clientInfo, capabilities: {} } }));
			assert.deepEqual(await b.getClientInfo('s'), clientInfo);
		},
	},
	{
		id: 'info/set-client-info',
		promise: infoPromises.setClientInfo,
		title: 'what is known of the client is replaced, and nothing else that it said',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const record = sampleRecord('s');
			await a.create(record);
			const clientInfo = { name: 'renamed', version: '3' };
			assert.equal(await b.setClientInfo('s', clientInfo), true);
			assert.deepEqual(await a.getClientInfo('s'), clientInfo);
			assert.deepEqual(await a.read('s'), { ...record, initializeParams: { ...record.initializeParams, clientInfo } });
		},
	},
	{
		id: 'info/capabilities',
		promise: infoPromises.capabilities,
		title: 'what the client can do is told on every peer, also where it declared nothing',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const clientInfo = { name: 'bare', version: '0' };
			const capabilities = { sampling: {}, elicitation: { form: {} } };
			await a.create(sampleRecord('s', { initializeParams: { clientInfo, capabilities } }));
			await a.create(sampleRecord('bare', { initializeParams: { clientInfo } }));
			assert.deepEqual(await b.getClientCapabilities('s'), capabilities);
			assert.deepEqual(await b.getClientCapabilities('bare'), {});
		},
	},
	{
		id: 'info/set-capabilities',
		promise: infoPromises.setCapabilities,
		title: 'what the client can do is replaced, and nothing else that it said',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const record = sampleRecord('s');
			await a.create(record);
			const capabilities = { sampling: {} };
			assert.equal(await b.setClientCapabilities('s', capabilities), true);
			assert.deepEqual(await a.getClientCapabilities('s'), capabilities);
			assert.deepEqual(await a.read('s'), {
				...record,
				initializeParams: { ...record.initializeParams, capabilities },
			});
		},
	},
	{
		id: 'info/log-level',
		promise: infoPromises.logLevel,
		title: 'the level that the client set is told on every peer, and none where it set none',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s', { logLevel: 'warning' }));
			await a.create(sampleRecord('silent'));
			assert.equal(await b.getLogLevel('s'), 'warning');
			assert.equal(await b.getLogLevel('silent'), undefined);
		},
	},
	{
		id: 'info/set-log-level',
		promise: infoPromises.setLogLevel,
		title: 'every level can be set, and is then the one that every peer tells',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const record = sampleRecord('s');
			await a.create(record);
			for (const logLevel of LOG_LEVELS) {
				assert.equal(await b.setLogLevel('s', logLevel), true);
				assert.equal(await a.getLogLevel('s'), logLevel);
			}
			assert.deepEqual(await a.read('s'), { ...record, logLevel: LOG_LEVELS.at(-1) });
		},
	},
	{
		id: 'info/close',
		promise: infoPromises.close,
		title: 'a manager can be closed twice, and its sessions are there on another node',
		needs: ['info', 'crossNode'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			await a.close();
			await a.close();
			await a[Symbol.asyncDispose]();
			assert.deepEqual(await b.read('s'), sampleRecord('s'));
			assert.equal(await b.create(sampleRecord('t')), true);
		},
	},
];
