import {
	fromJsonSchema,
	type InputRequiredResult,
	inputRequired,
	inputResponse,
	type McpServer,
	type ServerContext,
} from '@modelcontextprotocol/server';
import type { Node } from './tool.js';

// What the suite of 2026-07-28 expects of a server: tools that ask by returning what they need to know.

type Answers = Record<string, unknown> | undefined;

/** The form of one text or flag. */
function form(message: string, name: string, type: 'string' | 'boolean' = 'string') {
	const property = type === 'string' ? { type: 'string' as const } : { type: 'boolean' as const };
	const requestedSchema = { type: 'object' as const, properties: { [name]: property }, required: [name] };
	return inputRequired.elicit({ message, requestedSchema });
}

const ask = (text: string, maxTokens = 100) =>
	inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text } }], maxTokens });

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });

/** Returns the value that the user entered under `name`; `undefined` where there is none. */
function entered(answers: Answers, key: string, name: string): unknown {
	const answer = inputResponse(answers, key);
	return answer.kind === 'elicit' && answer.action === 'accept' ? answer.content?.[name] : undefined;
}

const has = (answers: Answers, key: string) => answers?.[key] !== undefined;

type Run = (
	context: ServerContext['mcpReq'],
) => ReturnType<typeof text> | InputRequiredResult | Promise<ReturnType<typeof text>>;

const tools: Readonly<Record<string, Run>> = {
	test_input_required_result_elicitation({ inputResponses }) {
		const name = entered(inputResponses, 'user_name', 'name');
		if (name === undefined) return inputRequired({ inputRequests: { user_name: form('What is your name?', 'name') } });
		return text(`Hello, ${name}!`);
	},
	test_input_required_result_sampling({ inputResponses }) {
		const key = 'capital_question';
		if (!has(inputResponses, key))
			return inputRequired({ inputRequests: { [key]: ask('What is the capital of France?') } });
		return text(JSON.stringify(inputResponses?.[key]));
	},
	test_input_required_result_list_roots({ inputResponses }) {
		const key = 'client_roots';
		if (!has(inputResponses, key)) return inputRequired({ inputRequests: { [key]: inputRequired.listRoots() } });
		return text(JSON.stringify(inputResponses?.[key]));
	},
	test_input_required_result_request_state: ({ inputResponses, requestState }) =>
		confirmed(inputResponses, requestState()),
	test_input_required_result_tampered_state: ({ inputResponses, requestState }) =>
		confirmed(inputResponses, requestState()),
	test_input_required_result_multiple_inputs({ inputResponses, requestState }) {
		const keys = ['user_name', 'greeting', 'client_roots'];
		if (requestState() === 'three' && keys.every((key) => has(inputResponses, key)))
			return text(JSON.stringify(inputResponses));
		return inputRequired({
			inputRequests: {
				user_name: form('What is your name?', 'name'),
				greeting: ask('Generate a greeting', 50),
				client_roots: inputRequired.listRoots(),
			},
			requestState: 'three',
		});
	},
	test_input_required_result_multi_round({ inputResponses, requestState }) {
		const state = requestState<string>();
		const name = entered(inputResponses, 'step1', 'name');
		const color = entered(inputResponses, 'step2', 'color');
		if (state === 'round 1' && name !== undefined) {
			const step2 = form('Step 2: What is your favorite color?', 'color');
			return inputRequired({ inputRequests: { step2 }, requestState: `name ${name}` });
		}
		if (state?.startsWith('name ') && color !== undefined) return text(`${state.slice(5)} likes ${color}`);
		const step1 = form('Step 1: What is your name?', 'name');
		return inputRequired({ inputRequests: { step1 }, requestState: 'round 1' });
	},
	test_input_required_result_capabilities({ inputResponses, envelope }) {
		if (has(inputResponses, 'answer')) return text(JSON.stringify(inputResponses?.['answer']));
		const said: Readonly<Record<string, unknown>> = { ...envelope };
		const declared = { ...(said['io.modelcontextprotocol/clientCapabilities'] ?? {}) } as Record<string, unknown>;
		const inputRequests = {
			...(declared['elicitation'] !== undefined && { answer: form('What is your name?', 'name') }),
			...(declared['sampling'] !== undefined && { greeting: ask('Generate a greeting') }),
		};
		return Object.keys(inputRequests).length > 0 ? inputRequired({ inputRequests }) : text('Nothing can be asked.');
	},
	test_missing_capability: () => inputRequired({ inputRequests: { answer: ask('Which capability is missing?') } }),
	async test_streaming_elicitation({ notify, _meta, inputResponses }) {
		const progressToken = _meta?.progressToken ?? 'none';
		await notify({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
		return text(JSON.stringify(inputResponses ?? {}));
	},
	async test_logging_tool({ log }) {
		await log('info', 'A message for those who want it');
		return text('logged');
	},
};

function confirmed(answers: Answers, state: unknown): ReturnType<typeof text> | InputRequiredResult {
	if (state === 'waiting' && entered(answers, 'confirm', 'ok') !== undefined) return text('state-ok');
	return inputRequired({
		inputRequests: { confirm: form('Please confirm', 'ok', 'boolean') },
		requestState: 'waiting',
	});
}

const mirroring: Readonly<Record<string, unknown>> = {
	type: 'object',
	properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
};
const mirrored = fromJsonSchema<{ region?: string }>(mirroring);

/** Registers what only requests of 2026-07-28 are offered. */
export function registerInputRequiredTools(mcp: McpServer, node: Node): void {
	for (const [name, run] of Object.entries(tools)) {
		mcp.registerTool(name, { description: 'Asks by returning what it needs to know' }, ({ mcpReq }) => run(mcpReq));
	}
	mcp.registerTool(
		'test_custom_header',
		{ description: 'Mirrors a parameter in a header', inputSchema: mirrored },
		(args) => text(JSON.stringify(args)),
	);
	for (const [kind, change] of [
		['tool', () => node.notify.toolsChanged()],
		['prompt', () => node.notify.promptsChanged()],
	] as const) {
		mcp.registerTool(
			`test_trigger_${kind}_change`,
			{ description: `Says that the list of ${kind}s changed` },
			async () => {
				await change();
				return text('changed');
			},
		);
	}
	mcp.registerPrompt('test_input_required_result_prompt', { description: 'Asks before it answers' }, ({ mcpReq }) => {
		const context = entered(mcpReq.inputResponses, 'user_context', 'context');
		if (context === undefined) {
			const user_context = form('What context should the prompt use?', 'context');
			return inputRequired({ inputRequests: { user_context } });
		}
		return { messages: [{ role: 'user', content: { type: 'text', text: `Context: ${context}` } }] };
	});
}
