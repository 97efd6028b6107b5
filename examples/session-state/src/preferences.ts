import type { Session } from '@holdfast/session-manager';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';

const Choices = z.object({
	theme: z.enum(['light', 'dark', 'system']).optional(),
	language: z.string().min(2).optional(),
	pageSize: z.int().min(1).max(100).optional(),
});

/** Only the user's choices are stored, so a changed default reaches everybody who has not chosen. */
function withDefaults({ theme = 'system', language = 'en', pageSize = 20 }: z.infer<typeof Choices>) {
	return { theme, language, pageSize };
}

/** The user's settings, with defaults for those that were never set. */
export function addPreferences(server: McpServer, { state }: Session): void {
	const choices = state.define('preferences', Choices);

	server.registerTool('preferences_show', { description: 'Shows the preferences' }, async () => {
		const preferences = withDefaults((await choices.get()) ?? {});
		return { content: [{ type: 'text', text: JSON.stringify(preferences) }] };
	});

	server.registerTool(
		'preferences_set',
		{ description: 'Changes some preferences', inputSchema: Choices },
		async (changes) => {
			const preferences = withDefaults(await choices.update((chosen) => ({ ...chosen, ...changes })));
			return { content: [{ type: 'text', text: JSON.stringify(preferences) }] };
		},
	);
}
