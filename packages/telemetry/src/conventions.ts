/**
 * Names of OpenTelemetry's semantic conventions for MCP, which are in development: they may change there, so they are
 * constants of this package.
 */
export const attribute = {
	method: 'mcp.method.name',
	protocolVersion: 'mcp.protocol.version',
	/** For spans only: as an attribute of metrics it would make as many series as there are sessions. */
	sessionId: 'mcp.session.id',
	requestId: 'jsonrpc.request.id',
	toolName: 'gen_ai.tool.name',
	promptName: 'gen_ai.prompt.name',
	operationName: 'gen_ai.operation.name',
	errorType: 'error.type',
	statusCode: 'rpc.response.status_code',
	networkTransport: 'network.transport',
	networkProtocol: 'network.protocol.name',
	// What the conventions have no names for.
	nodeId: 'holdfast.node.id',
	reason: 'holdfast.reason',
	storeManager: 'holdfast.store.manager',
	storeMethod: 'holdfast.store.method',
	streamKind: 'holdfast.stream.kind',
	conversationState: 'holdfast.conversation.state',
	action: 'holdfast.action',
	done: 'holdfast.done',
	httpStatus: 'http.response.status_code',
} as const;

/** The values of a label that stand for all values beyond a limit. */
export const OTHER = '_OTHER';

/** The methods of MCP. A client may send any other text as one. */
export const knownMethods: ReadonlySet<string> = new Set([
	'completion/complete',
	'elicitation/create',
	'initialize',
	'logging/setLevel',
	'ping',
	'prompts/get',
	'prompts/list',
	'resources/list',
	'resources/read',
	'resources/subscribe',
	'resources/templates/list',
	'resources/unsubscribe',
	'roots/list',
	'sampling/createMessage',
	'server/discover',
	'subscriptions/listen',
	'tasks/cancel',
	'tasks/get',
	'tasks/list',
	'tasks/result',
	'tools/call',
	'tools/list',
]);
