import fc from 'fast-check';

/** A value that JSON can carry. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

const clientInfo = { name: 'hostile', version: '1.0.0' };

/** Requests that the server of server.mjs serves, right as they stand. */
const served: readonly (readonly [method: string, params: JsonValue | undefined])[] = [
	['ping', undefined],
	['ping', { _meta: { progressToken: 1 } }],
	[
		'initialize',
		{ protocolVersion: '2025-11-25', capabilities: { roots: { listChanged: true }, elicitation: {} }, clientInfo },
	],
	['tools/list', { cursor: 'x' }],
	['tools/call', { name: 'echo', arguments: { text: 'hi' }, _meta: { progressToken: 'p' } }],
	['tools/call', { name: 'talk', arguments: {} }],
	['tools/call', { name: 'linger', arguments: {} }],
	['tools/call', { name: 'ask', arguments: {} }],
	['tools/call', { name: 'fail' }],
	['tools/call', { name: 'late', arguments: {} }],
	['tools/call', { name: 'echo', arguments: {}, task: { ttl: 1000 } }],
	['resources/list', {}],
	['resources/templates/list', {}],
	['resources/read', { uri: 'motto://' }],
	['resources/read', { uri: 'note://some-name' }],
	['resources/subscribe', { uri: 'motto://' }],
	['resources/unsubscribe', { uri: 'motto://' }],
	['prompts/list', {}],
	['prompts/get', { name: 'greet', arguments: { name: 'Ada' } }],
	['completion/complete', { ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'name', value: 'A' } }],
	[
		'completion/complete',
		{ ref: { type: 'ref/resource', uri: 'note://{name}' }, argument: { name: 'name', value: '' } },
	],
	['logging/setLevel', { level: 'warning' }],
];

/** Requests of MCP that it does not serve: of the other direction, of other revisions, and none. */
const notServed: readonly (readonly [method: string, params: JsonValue | undefined])[] = [
	['tasks/get', { taskId: 'x' }],
	['tasks/result', { taskId: 'x' }],
	['tasks/list', {}],
	['tasks/cancel', { taskId: 'x' }],
	['server/discover', { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } }],
	['subscriptions/listen', { notifications: {} }],
	['sampling/createMessage', { messages: [], maxTokens: 1 }],
	['elicitation/create', { message: 'q', requestedSchema: { type: 'object', properties: {} } }],
	['roots/list', undefined],
	['__proto__', {}],
	['constructor', {}],
	['toString', {}],
	['', {}],
];

const notifications: readonly (readonly [method: string, params: JsonValue | undefined])[] = [
	['notifications/initialized', undefined],
	['notifications/cancelled', { requestId: 1, reason: 'because' }],
	['notifications/progress', { progressToken: 'x:1', progress: 1, total: 2 }],
	['notifications/roots/list_changed', {}],
	['notifications/message', { level: 'info', data: 'not yours to send' }],
	['notifications/tasks/status', { taskId: 'x', status: 'working' }],
	['notifications/nothing', { _meta: { 'io.modelcontextprotocol/related-task': { taskId: 'x' } } }],
	['initialize', {}],
];

const oddIds: readonly JsonValue[] = [
	0,
	-1,
	1,
	'',
	' ',
	'1',
	'__proto__',
	'é\u0000\ud800',
	2 ** 53 - 1,
	'x'.repeat(3_000),
];
const noIds: readonly JsonValue[] = [null, 1.5, 2 ** 53, true, [], {}];

const oddValue: fc.Arbitrary<JsonValue> = fc.oneof(
	fc.constantFrom<JsonValue>(
		null,
		true,
		0,
		-1,
		1.5,
		2 ** 53,
		1e300,
		'',
		'x',
		'__proto__',
		[],
		{},
		[[]],
		'y'.repeat(2_000),
	),
	fc.constantFrom<JsonValue>(...oddIds, ...noIds),
	fc.constantFrom<JsonValue>(
		{ _meta: null },
		{ _meta: { progressToken: 1.5 } },
		{ ['__proto__']: { taskId: 1 } },
		{ taskId: 'x' },
	),
	fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>,
);

const member = fc.constantFrom(
	'jsonrpc',
	'id',
	'method',
	'params',
	'result',
	'error',
	'_meta',
	'progressToken',
	'io.modelcontextprotocol/related-task',
	'io.modelcontextprotocol/protocolVersion',
	'inputResponses',
	'requestState',
	'task',
	'cursor',
	'__proto__',
	'constructor',
	'toJSON',
);

interface Change {
	readonly place: number;
	readonly how: 'remove' | 'replace' | 'add' | 'wrap';
	readonly name: string;
	readonly value: JsonValue;
}

const change: fc.Arbitrary<Change> = fc.record({
	place: fc.nat({ max: 10_000 }),
	how: fc.constantFrom('remove', 'replace', 'replace', 'add', 'wrap'),
	name: member,
	value: oddValue,
});

type Place = { readonly holder: { [key: string]: JsonValue } | JsonValue[]; readonly key: string };

/** Every member of every object and list in `value`, at any depth; the deeper, the more often. */
function placesIn(value: JsonValue, weight = 1): Place[] {
	if (typeof value !== 'object' || value === null) return [];
	return Object.keys(value).flatMap((key) => [
		...Array.from({ length: weight }, () => ({ holder: value, key })),
		...placesIn(Reflect.get(value, key), Math.min(weight * 3, 9)),
	]);
}

function applyChange(message: JsonValue, { place, how, name, value }: Change): JsonValue {
	const places = placesIn(message);
	const at = places[place % Math.max(1, places.length)];
	if (at === undefined) return how === 'wrap' ? [message] : message;
	const { holder, key } = at;
	// Own members only, whatever their names.
	const write = (member: string, written: JsonValue) =>
		Object.defineProperty(holder, member, {
			value: structuredClone(written),
			enumerable: true,
			configurable: true,
			writable: true,
		});
	if (how === 'remove') Reflect.deleteProperty(holder, key);
	else if (how === 'replace') write(key, value);
	else if (how === 'wrap') write(key, [Reflect.get(holder, key)]);
	else if (!Array.isArray(holder)) write(name, value);
	else holder.push(structuredClone(value));
	return message;
}

const call = (id: JsonValue | undefined, [method, params]: readonly [string, JsonValue | undefined]): JsonValue => ({
	jsonrpc: '2.0',
	...(id !== undefined && { id }),
	method,
	...(params !== undefined && { params: structuredClone(params) }),
});

const requestId = fc.oneof(
	{ weight: 4, arbitrary: fc.nat(1_000).map((n): JsonValue => n + 10) },
	{ weight: 2, arbitrary: fc.constantFrom<JsonValue>(...oddIds) },
	{ weight: 1, arbitrary: fc.string().map((text): JsonValue => text) },
);

/** Ids of server→client requests as they look; `$WIRE` stands for one that another session is asked under. */
const guessedId = fc.oneof(
	fc.constantFrom<JsonValue>(
		'$WIRE',
		'$NODE:0',
		'$NODE:1',
		'$NODE:zz',
		'other-node:0',
		'0',
		0,
		1,
		'',
		'a:b:c',
		':0',
		'__proto__:0',
	),
	fc.constantFrom<JsonValue>(...oddIds, ...noIds),
);

const answer = fc
	.tuple(
		guessedId,
		fc.constantFrom<JsonValue>(
			{ result: { action: 'accept', content: { word: 'stolen' } } },
			{ result: { roots: [] } },
			{ result: {}, error: { code: 1, message: 'both' } },
			{ error: { code: -32000, message: 'no' } },
			{ error: { code: 1.5, message: 'no' } },
			{ error: { code: 1 } },
			{ error: 'no' },
			{ result: null },
			{},
		),
	)
	.map(([id, rest]): JsonValue => ({ jsonrpc: '2.0', id, ...structuredClone(rest as { [key: string]: JsonValue }) }));

const single: fc.Arbitrary<JsonValue> = fc.oneof(
	{ weight: 12, arbitrary: fc.tuple(requestId, fc.constantFrom(...served)).map(([id, request]) => call(id, request)) },
	{
		weight: 2,
		arbitrary: fc.tuple(requestId, fc.constantFrom(...notServed)).map(([id, request]) => call(id, request)),
	},
	{ weight: 3, arbitrary: fc.constantFrom(...notifications).map((notification) => call(undefined, notification)) },
	{ weight: 2, arbitrary: answer },
);

const nearValid = fc
	.tuple(single, fc.oneof(fc.constant([]), fc.array(change, { maxLength: 1 }), fc.array(change, { maxLength: 3 })))
	.map(([message, changes]) => changes.reduce(applyChange, structuredClone(message)));

/** The longest batch that is allowed has 100 messages. */
function pings(count: number): JsonValue[] {
	return Array.from({ length: count }, (_, id) => call(id, ['ping', undefined]));
}

/** Messages of MCP as they should be, a little wrong, in batches, and values that are none at all. */
export const mcpBody: fc.Arbitrary<JsonValue> = fc.oneof(
	{ weight: 20, arbitrary: nearValid },
	{ weight: 2, arbitrary: fc.array(single, { maxLength: 5 }) },
	{ weight: 1, arbitrary: fc.array(nearValid, { maxLength: 5 }) },
	{ weight: 1, arbitrary: fc.constantFrom(99, 100, 101).map(pings) },
	{ weight: 1, arbitrary: oddValue },
);
