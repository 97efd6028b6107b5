// The examples in the doc comments of handles.ts and of `stateOf` in http-transport.ts.
import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { HttpTransport } from '../../src/index.ts';

export function create(server: McpServer, transport: HttpTransport): void {
	//#region create
	server.registerTool('new-cart', { description: 'Begins a shopping cart' }, async (context) => {
		const { id, state } = await transport.handles.create(context);
		await state.set('items', []);
		return { content: [{ type: 'text', text: `The cart is ${id}. Pass it with every call about it.` }] };
	});
	//#endregion create
}

export function stateOf(server: McpServer, transport: HttpTransport): void {
	//#region stateOf
	const inputSchema = z.object({ item: z.string(), cart: z.string().optional() });
	server.registerTool('add', { description: 'Adds to the cart', inputSchema }, async ({ item, cart }, context) => {
		const { state, handle } = await transport.stateOf(context, cart);
		await state.update('items', (items) => [...(Array.isArray(items) ? items : []), item]);
		const next = handle === undefined ? '' : ` Pass the cart ${handle} with the next call.`;
		return { content: [{ type: 'text', text: `${item} is in the cart.${next}` }] };
	});
	//#endregion stateOf
}
