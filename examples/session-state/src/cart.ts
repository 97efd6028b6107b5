import type { Session } from '@holdfast/session-manager';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';

const Item = z.object({ name: z.string().min(1), quantity: z.int().min(1), cents: z.int().min(0) });
const Cart = z.array(Item).max(50, 'A cart holds at most 50 items.');

/** A list that grows with each call until it is ordered. */
export function addCart(server: McpServer, { state }: Session): void {
	const cart = state.define('cart', Cart);

	server.registerTool('cart_add', { description: 'Puts an item into the cart', inputSchema: Item }, async (item) => {
		const items = await cart.update((items = []) => [...items, item]);
		return { content: [{ type: 'text', text: JSON.stringify({ items }) }] };
	});

	server.registerTool('cart_show', { description: 'Shows what is in the cart' }, async () => {
		const items = (await cart.get()) ?? [];
		return { content: [{ type: 'text', text: JSON.stringify({ items }) }] };
	});

	server.registerTool('cart_checkout', { description: 'Orders what is in the cart, and empties it' }, async () => {
		let ordered: z.infer<typeof Cart> = [];
		await cart.update((items = []) => {
			// Set anew at every attempt: the last one is the one that counted.
			ordered = items;
			return undefined;
		});
		if (ordered.length === 0) throw new Error('The cart is empty.');
		const cents = ordered.reduce((sum, item) => sum + item.quantity * item.cents, 0);
		return { content: [{ type: 'text', text: JSON.stringify({ ordered, cents }) }] };
	});
}
