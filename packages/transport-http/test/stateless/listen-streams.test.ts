import { InMemoryStreamSessionManager } from '@holdfast/session-manager';
import { expect, it } from 'vitest';
import { SessionHost } from '../../../transport/src/session-host.ts';
import { ListenStreams } from '../../src/stateless/listen-streams.ts';

it('the listen streams of a closed node hear nothing more, also where one was being opened', async () => {
	const streams = new InMemoryStreamSessionManager();
	const host = new SessionHost(() => Promise.reject(new Error('No server is made.')), { sessionManager: { streams } });
	const listening = new ListenStreams(host, { maxPerPrincipal: 1 });
	listening.close();
	await listening.ready();
	expect(streams.stats()).toMatchObject({ listeners: 0, streams: 0 });
});
