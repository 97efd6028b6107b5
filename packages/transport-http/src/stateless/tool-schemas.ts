import type { SdkServer } from '@holdfast/transport';
import type { McpServer } from '@modelcontextprotocol/server';

/** What the SDK keeps of a tool, as far as it matters here. */
interface KnownTool {
	readonly inputSchema?: unknown;
	readonly enabled?: boolean;
	readonly scopeChallenge?: unknown;
}

/** A schema of a tool, and what the SDK has made of it. */
interface Conversion {
	readonly schema: unknown;
	readonly json: Record<string, unknown> | undefined;
}

/** How many tools are kept at most: a function may make others for each request. */
const MAX_TOOLS = 1_000;

/**
 * The JSON schemas of tools' arguments. For each call, the SDK converts the schema of its tool, to learn which
 * arguments are mirrored in headers. A function that makes servers usually gives all of them the same schemas.
 */
export class ToolSchemas {
	readonly #byTool = new Map<string, Conversion>();
	/** Whether a schema mirrors no argument in a header. */
	readonly #plain = new WeakMap<object, boolean>();

	/** Lets `server` take conversions of the same schema from servers before it. */
	shareWith(server: McpServer): void {
		const convert = server.toolInputSchemaJson.bind(server);
		server.toolInputSchemaJson = (name) => {
			const tool = knownTool(server, name);
			if (tool?.enabled !== true || tool.inputSchema === undefined) return convert(name);
			const known = this.#byTool.get(name);
			if (known?.schema === tool.inputSchema) return known.json;
			const json = convert(name);
			if (this.#byTool.size >= MAX_TOOLS) this.#byTool.clear();
			this.#byTool.set(name, { schema: tool.inputSchema, json });
			return json;
		};
	}

	/** Returns whether all that is asked of a call of this tool, before it is served, is that the tool is there. */
	isPlain(server: McpServer, name: string): boolean {
		const tool = knownTool(server, name);
		if (tool?.enabled !== true || tool.scopeChallenge !== undefined) return false;
		const json = server.toolInputSchemaJson(name);
		if (json === undefined) return false;
		let isPlain = this.#plain.get(json);
		if (isPlain === undefined) {
			isPlain = !JSON.stringify(json).toLowerCase().includes('x-mcp-header');
			this.#plain.set(json, isPlain);
		}
		return isPlain;
	}
}

/**
 * Throws what the SDK finds wrong with the result of a tool, which a call that waits for it gets as an error of the
 * tool.
 */
export async function checkResult(product: SdkServer, tool: string | undefined, result: unknown): Promise<void> {
	const known = tool === undefined ? undefined : knownTool(product, tool);
	const { validateToolOutput } = product as { validateToolOutput?: (...args: unknown[]) => Promise<void> };
	if (known === undefined || typeof validateToolOutput !== 'function') return;
	if (typeof result !== 'object' || result === null) return;
	try {
		await validateToolOutput.call(product, known, result, tool);
	} catch (error) {
		throw new Error(error instanceof Error ? error.message : String(error), { cause: error });
	}
}

function knownTool(server: SdkServer, name: string): KnownTool | undefined {
	const { _registeredTools: tools } = server as unknown as { readonly _registeredTools?: Record<string, KnownTool> };
	return tools !== undefined && Object.hasOwn(tools, name) ? tools[name] : undefined;
}
