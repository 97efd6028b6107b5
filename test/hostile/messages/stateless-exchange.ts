import fc from 'fast-check';
import type { JsonValue } from './mcp-messages.ts';

/** One POST of 2026-07-28 as a hostile client makes it. */
export interface StatelessRequest {
	readonly headers: Readonly<Record<string, string | undefined>>;
	readonly message: JsonValue;
}

const key = (name: string) => `io.modelcontextprotocol/${name}`;
const goodMeta: { [key: string]: JsonValue } = {
	[key('protocolVersion')]: '2026-07-28',
	[key('clientCapabilities')]: { elicitation: {}, extensions: { [key('tasks')]: {} } },
	[key('clientInfo')]: { name: 'hostile', version: '1.0.0' },
};

const calls: readonly (readonly [method: string, params: { [key: string]: JsonValue }])[] = [
	['server/discover', {}],
	['tools/list', {}],
	['tools/list', { cursor: 'x' }],
	['tools/call', { name: 'echo', arguments: { text: 'hi' } }],
	['tools/call', { name: 'talk', arguments: {} }],
	['tools/call', { name: 'linger', arguments: {} }],
	['tools/call', { name: 'fail', arguments: {} }],
	['tools/call', { name: 'late', arguments: {} }],
	['tools/call', { name: 'echo', arguments: {}, requestState: 'forged', inputResponses: { a: { action: 'accept' } } }],
	['tools/call', { name: '__proto__', arguments: {} }],
	['resources/read', { uri: 'motto://' }],
	['resources/read', { uri: 'note://some-name' }],
	['resources/read', { uri: 'nowhere://' }],
	['prompts/get', { name: 'greet', arguments: { name: 'Ada' } }],
	['completion/complete', { ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'name', value: 'A' } }],
	['subscriptions/listen', { notifications: { toolsListChanged: true, resourceSubscriptions: ['motto://'] } }],
	['subscriptions/listen', { notifications: { taskIds: ['x'] } }],
	['tasks/get', { taskId: 'x' }],
	['tasks/update', { taskId: 'x', inputResponses: {} }],
	['tasks/cancel', { taskId: 'x' }],
	['tasks/list', {}],
	['initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'h', version: '1' } }],
	['ping', {}],
	['notifications/cancelled', { requestId: 1 }],
	['notifications/own', {}],
	['', {}],
	['__proto__', {}],
];

const oddValue = fc.oneof(
	fc.constantFrom<JsonValue>(null, true, -1, 1.5, 2 ** 53, '', '\ud800', '__proto__', [], {}, [[]], 'x'.repeat(9_000)),
	fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>,
);

/** Where a value is replaced by an odd one. */
const place = fc.constantFrom(
	['id'],
	['method'],
	['params'],
	['params', '_meta'],
	['params', '_meta', key('protocolVersion')],
	['params', '_meta', key('clientCapabilities')],
	['params', '_meta', key('clientInfo')],
	['params', '_meta', key('logLevel')],
	['params', '_meta', 'progressToken'],
	['params', 'name'],
	['params', 'uri'],
	['params', 'taskId'],
	['params', 'arguments'],
	['params', 'notifications'],
	['params', 'notifications', 'toolsListChanged'],
	['params', 'notifications', 'resourceSubscriptions'],
	['params', 'notifications', 'taskIds'],
	['params', 'requestState'],
	['params', 'inputResponses'],
	['params', '__proto__'],
	['result'],
	['jsonrpc'],
);

const oddHeader = fc.constantFrom<readonly [name: string, value: string | undefined]>(
	['mcp-protocol-version', undefined],
	['mcp-protocol-version', '2025-11-25'],
	['mcp-protocol-version', '9999-99-99'],
	['mcp-protocol-version', '2026-07-28, 2026-07-28'],
	['mcp-method', undefined],
	['mcp-method', 'tools/call'],
	['mcp-name', undefined],
	['mcp-name', '=?base64?%%%?='],
	['mcp-name', '=?base64?'],
	['mcp-name', 'x'.repeat(5_000)],
	['mcp-session-id', 'x'.repeat(300)],
	['mcp-param-', 'x'],
	['last-event-id', 'x-0/node.0'],
	['accept', 'application/json'],
	['content-type', 'text/plain'],
	['origin', 'http://evil.example'],
);

const rarely = <T>(wrong: fc.Arbitrary<T>) => fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, wrong);

/** A request of 2026-07-28 that is right, or wrong in a place or two. */
export const statelessRequest: fc.Arbitrary<StatelessRequest> = fc
	.record({
		call: fc.constantFrom(...calls),
		id: fc.oneof(fc.nat(1_000), fc.string({ maxLength: 10 }), fc.constantFrom('x'.repeat(300), 0, -1)),
		odd: rarely(fc.tuple(place, oddValue)),
		header: rarely(oddHeader),
		isBatch: fc.integer({ min: 0, max: 30 }).map((n) => n === 0),
	})
	.map(({ call: [method, params], id, odd, header, isBatch }) => {
		const isNotification = method.startsWith('notifications/');
		const message: { [key: string]: JsonValue } = {
			jsonrpc: '2.0',
			...(!isNotification && { id }),
			method,
			params: { ...structuredClone(params), _meta: structuredClone(goodMeta) },
		};
		const name = params['name'] ?? params['uri'] ?? params['taskId'];
		const headers = {
			accept: 'application/json, text/event-stream',
			'content-type': 'application/json',
			'mcp-protocol-version': '2026-07-28',
			'mcp-method': method,
			...(typeof name === 'string' && { 'mcp-name': name }),
			...(header !== undefined && { [header[0]]: header[1] }),
		};
		if (odd !== undefined) replace(message, ...odd);
		return { headers, message: isBatch ? [message] : message };
	});

/** Replaces the value at `path`, where there is a place for it. Own members only, whatever their names. */
function replace(message: { [key: string]: JsonValue }, path: readonly string[], value: JsonValue): void {
	let holder: JsonValue = message;
	for (const name of path.slice(0, -1)) {
		const next: JsonValue | undefined = Object.hasOwn(holder, name) ? (holder as never)[name] : undefined;
		if (typeof next !== 'object' || next === null) return;
		holder = next;
	}
	Object.defineProperty(holder, path.at(-1) ?? '', {
		value: structuredClone(value),
		enumerable: true,
		configurable: true,
		writable: true,
	});
}
