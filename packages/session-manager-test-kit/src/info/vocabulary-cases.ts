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
		title: 'the `clientInfo` of a client is the same on every peer',
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
		title: '`clientInfo` is replaced, and nothing else of `initialize`',
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
		title: 'the capabilities of a client are the same on every peer, also when it declared none',
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
		title: 'capabilities are replaced, and nothing else of `initialize`',
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
		id: 'info/set-client-race',
		promise: infoPromises.atomic,
		title: '`clientInfo` and capabilities that are set at once are both kept',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			const clientInfo = { name: 'renamed', version: '3' };
			const capabilities = { sampling: {} };
			for (let round = 0; round < 20; round++) {
				const id = `s${round}`;
				const record = sampleRecord(id);
				await a.create(record);
				await Promise.all([a.setClientInfo(id, clientInfo), b.setClientCapabilities(id, capabilities)]);
				const initializeParams = { ...record.initializeParams, clientInfo, capabilities };
				assert.deepEqual((await a.read(id))?.initializeParams, initializeParams);
			}
		},
	},
	{
		id: 'info/replace-params',
		promise: infoPromises.patched,
		title: 'the whole `params` of `initialize` replace what was set of them before',
		needs: ['info'],
		async run(context) {
			const [a, b] = await context.info();
			await a.create(sampleRecord('s'));
			await a.setClientInfo('s', { name: 'renamed', version: '3' });
			await b.setClientCapabilities('s', { sampling: {} });
			const initializeParams = { protocolVersion: '2025-11-25', clientInfo: { name: 'new', version: '1' } };
			assert.equal(await a.update('s', { initializeParams }), true);
			assert.deepEqual((await b.read('s'))?.initializeParams, initializeParams);
		},
	},
	{
		id: 'info/log-level',
		promise: infoPromises.logLevel,
		title: 'the log level of a client is the same on every peer, and `undefined` when it set none',
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
		title: 'every log level can be set, and every peer then returns it',
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
