import type { HttpTransport } from '@holdfast/transport-http';
import { acceptedContent, inputRequired, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

// Outside of the function: each request of 2026-07-28 gets a server of its own, and all of them share these.
const Trip = z.object({ to: z.string(), bookings: z.string().optional() });
const Guests = z.object({ guests: z.int().min(1) });
const guestsForm = {
	type: 'object' as const,
	properties: { guests: { type: 'integer' as const, title: 'Guests', minimum: 1 } },
	required: ['guests'],
};
const capabilities = { logging: {}, tools: { listChanged: true } };

/** Makes a server with one tool, which does not know in which era it is called. */
export function makeServer(transport: Pick<HttpTransport, 'stateOf'>): McpServer {
	const server = new McpServer({ name: 'two-eras', version: '1.0.0' }, { capabilities });
	server.registerTool(
		'book',
		{ description: 'Books a trip, once it knows for how many', inputSchema: Trip },
		async ({ to, bookings }, context) => {
			const { mcpReq } = context;
			const answer = acceptedContent(mcpReq.inputResponses, 'guests', Guests);
			if (answer === undefined) {
				// With a session, the SDK asks the client now. Without, the client calls again with its answer.
				const guests = inputRequired.elicit({ message: `How many go to ${to}?`, requestedSchema: guestsForm });
				return inputRequired({ inputRequests: { guests } });
			}
			const progressToken = mcpReq._meta?.progressToken;
			for (let progress = 1; progressToken !== undefined && progress <= answer.guests; progress++) {
				await mcpReq.notify({
					method: 'notifications/progress',
					params: { progressToken, progress, total: answer.guests },
				});
			}
			// That of the session or, without one, of the handle that the client was given and passes again.
			const { state, handle } = await transport.stateOf(context, bookings);
			const count = await state.increment('bookings');
			const text = `${answer.guests} seats to ${to}, booking ${count}`;
			return { content: [{ type: 'text', text }], structuredContent: { bookings: handle } };
		},
	);
	return server;
}
