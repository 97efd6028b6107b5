/** The headers of a good client. */
const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/** Who a client is. */
export interface ClientOptions {
	readonly name?: string;
	/** Sent as its bearer token. */
	readonly token?: string;
}

/** Opens a session at an endpoint; returns its id. */
export async function openSession(url: string, { name = 'client', token }: ClientOptions = {}): Promise<string> {
	const clientInfo = { name, version: '1.0' };
	const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
	const response = await post(url, { jsonrpc: '2.0', id: 1, method: 'initialize', params }, authorization(token));
	const id = response.headers.get('mcp-session-id');
	if (id === null) throw new Error(`No session: ${response.status} ${await response.text()}`);
	await ask(url, id, 'notifications/initialized', token);
	return id;
}

/** Sends a request or a notification of a session; returns the status. */
export async function ask(url: string, sessionId: string, method: string, token?: string): Promise<number> {
	const id = method.startsWith('notifications/') ? undefined : 2;
	const session = { 'mcp-session-id': sessionId, 'mcp-protocol-version': '2025-11-25' };
	const response = await post(url, { jsonrpc: '2.0', id, method }, { ...session, ...authorization(token) });
	await response.text();
	return response.status;
}

function authorization(token: string | undefined): Record<string, string> {
	return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function post(url: string, body: unknown, more: Readonly<Record<string, string>>): Promise<Response> {
	return fetch(url, { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(body) });
}
