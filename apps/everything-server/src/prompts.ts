import type { PromptMessage } from '@modelcontextprotocol/sdk/types.js';
import { PNG_PIXEL } from './sample-media.js';

/** An argument of a prompt. */
export interface PromptArgument {
	readonly description: string;
	/** Returns what `completion/complete` suggests for the text typed so far. */
	suggest(typed: string): string[];
}

/** A prompt, declared once for both SDKs. All arguments are required. */
export interface Prompt {
	readonly name: string;
	readonly title: string;
	readonly description: string;
	readonly arguments?: Readonly<Record<string, PromptArgument>>;
	messages(args: Readonly<Record<string, string>>): PromptMessage[];
}

/** The prompts of the conformance fixture. */
export const prompts: readonly Prompt[] = [
	{
		name: 'test_simple_prompt',
		title: 'Simple Test Prompt',
		description: 'A simple prompt without arguments',
		messages: () => [said('This is a simple prompt for testing.')],
	},
	{
		name: 'test_prompt_with_arguments',
		title: 'Prompt With Arguments',
		description: 'A prompt with required arguments',
		arguments: {
			arg1: { description: 'First test argument', suggest: startingWith('paris', 'park', 'party') },
			arg2: { description: 'Second test argument', suggest: startingWith('test', 'text') },
		},
		messages: ({ arg1, arg2 }) => [said(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)],
	},
	{
		name: 'test_prompt_with_embedded_resource',
		title: 'Prompt With Embedded Resource',
		description: 'A prompt that includes an embedded resource',
		arguments: {
			resourceUri: { description: 'URI of the resource to embed', suggest: startingWith('test://static-text') },
		},
		messages: ({ resourceUri = '' }) => [
			{
				role: 'user',
				content: {
					type: 'resource',
					resource: { uri: resourceUri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' },
				},
			},
			said('Please process the embedded resource above.'),
		],
	},
	{
		name: 'test_prompt_with_image',
		title: 'Prompt With Image',
		description: 'A prompt that includes image content',
		messages: () => [
			{ role: 'user', content: { type: 'image', data: PNG_PIXEL, mimeType: 'image/png' } },
			said('Please analyze the image above.'),
		],
	},
];

function said(text: string): PromptMessage {
	return { role: 'user', content: { type: 'text', text } };
}

function startingWith(...words: string[]): (typed: string) => string[] {
	return (typed) => words.filter((word) => word.startsWith(typed));
}
