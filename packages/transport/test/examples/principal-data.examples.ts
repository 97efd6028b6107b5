// The examples in the doc comments of principal-data.ts.
import type { ServerTransport, SessionSummary } from '../../src/index.ts';

export async function list(transport: ServerTransport, principal: string): Promise<SessionSummary[]> {
	//#region list
	const sessions = await transport.principals.list(principal);
	const active = sessions.filter(({ status }) => status === 'active');
	//#endregion list
	return active;
}

export async function exportAll(transport: ServerTransport, principal: string): Promise<string> {
	//#region export
	const everything = await transport.principals.export(principal);
	const document = JSON.stringify(everything, undefined, 2);
	//#endregion export
	return document;
}

export async function erase(transport: ServerTransport, principal: string): Promise<number> {
	//#region erase
	const erased = await transport.principals.erase(principal);
	// `erased` sessions ended on every node, and nothing of them is stored any more.
	//#endregion erase
	return erased;
}
