import type { SessionRecord } from '@holdfast/session-manager';

/** Returns the record of an ordinary client's session, with the `given` fields in place of the defaults. */
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
