import type { Session } from '@holdfast/session-manager';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';

const Form = z.object({ name: z.string().min(1), email: z.email(), age: z.int().min(18) });
const Draft = Form.partial();
type Draft = z.infer<typeof Draft>;

/** Returns the first open question; `undefined` once all are answered. */
function nextStep(draft: Draft): string | undefined {
	return Form.keyof().options.find((field) => draft[field] === undefined);
}

/** A form that several calls fill in, validated field by field and submitted as a whole. */
export function addForm(server: McpServer, { state }: Session): void {
	const form = state.define('form', Draft);

	server.registerTool('form_fill', { description: 'Answers some of the form', inputSchema: Draft }, async (answers) => {
		const draft = await form.update((draft) => ({ ...draft, ...answers }));
		return { content: [{ type: 'text', text: JSON.stringify({ draft, next: nextStep(draft) }) }] };
	});

	server.registerTool('form_submit', { description: 'Sends the form once it is complete' }, async () => {
		let sent: Draft = {};
		await form.update((draft = {}) => {
			const missing = nextStep(draft);
			if (missing !== undefined) throw new Error(`The form still lacks: ${missing}.`);
			// Of two nodes that send it at the same time, one finds it gone.
			sent = draft;
			return undefined;
		});
		return { content: [{ type: 'text', text: JSON.stringify({ sent }) }] };
	});
}
