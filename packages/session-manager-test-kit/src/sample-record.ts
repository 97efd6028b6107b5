import type { SessionRecord } from '@holdfast/session-manager';

/** A session of an ordinary client, with whatever a case cares about in place of the defaults. */
export function sampleRecord(id: string, given: Partial<SessionRecord> = {}): SessionRecord {
	return {
		id,
		protocolVersion: '2025-11-25',
		initializeParams: {
			protocolVersion: '2025-11-25',
			clientInfo: { name: 'test', version: '1.0.0' },
			capabilities: { roots: { listChanged: true } },
		},
		serverCapabilities: { tools: {} },
		createdAt: 0,
		lastUsedAt: 0,
		...given,
	};
}
