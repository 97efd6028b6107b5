import { setTimeout as pause } from 'node:timers/promises';
import type { ElicitRequestFormParams, ElicitResult } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { PNG_PIXEL, SILENT_WAV } from './sample-media.js';
import { defineTool, type Tool, text } from './tool.js';

/** The delay between two steps, long enough for a client to tell them apart, in milliseconds. */
const STEP_MS = 50;

const nothing = z.object({});

// The forms are constants because a JSON schema validator caches the compiled form of each schema object.
const answerForm: ElicitRequestFormParams['requestedSchema'] = {
	type: 'object',
	properties: { response: { type: 'string', description: "User's response" } },
	required: ['response'],
};

/** SEP-1034: a default for every primitive type. */
const defaultsForm: ElicitRequestFormParams['requestedSchema'] = {
	type: 'object',
	properties: {
		name: { type: 'string', description: 'User name', default: 'John Doe' },
		age: { type: 'integer', description: 'User age', default: 30 },
		score: { type: 'number', description: 'User score', default: 95.5 },
		status: {
			type: 'string',
			description: 'User status',
			enum: ['active', 'inactive', 'pending'],
			default: 'active',
		},
		verified: { type: 'boolean', description: 'Verification status', default: true },
	},
	required: [],
};

/** SEP-1330: the five kinds of enum. */
const enumsForm: ElicitRequestFormParams['requestedSchema'] = {
	type: 'object',
	properties: {
		untitledSingle: { type: 'string', description: 'Select one option', enum: ['option1', 'option2', 'option3'] },
		titledSingle: {
			type: 'string',
			description: 'Select one option with titles',
			oneOf: [
				{ const: 'value1', title: 'First Option' },
				{ const: 'value2', title: 'Second Option' },
				{ const: 'value3', title: 'Third Option' },
			],
		},
		legacyEnum: {
			type: 'string',
			description: 'Select one option (legacy)',
			enum: ['opt1', 'opt2', 'opt3'],
			enumNames: ['Option One', 'Option Two', 'Option Three'],
		},
		untitledMulti: {
			type: 'array',
			description: 'Select multiple options',
			minItems: 1,
			maxItems: 3,
			items: { type: 'string', enum: ['option1', 'option2', 'option3'] },
		},
		titledMulti: {
			type: 'array',
			description: 'Select multiple options with titles',
			minItems: 1,
			maxItems: 3,
			items: {
				anyOf: [
					{ const: 'value1', title: 'First Choice' },
					{ const: 'value2', title: 'Second Choice' },
					{ const: 'value3', title: 'Third Choice' },
				],
			},
		},
	},
	required: [],
};

/** SEP-1613 and SEP-2106: the schema must arrive in `tools/list` exactly as it is here. */
const jsonSchema2020 = {
	$schema: 'https://json-schema.org/draft/2020-12/schema',
	type: 'object',
	$defs: {
		address: {
			$anchor: 'addressDef',
			type: 'object',
			properties: { street: { type: 'string' }, city: { type: 'string' } },
		},
	},
	properties: {
		name: { type: 'string' },
		address: { $ref: '#/$defs/address' },
		contactMethod: { type: 'string', enum: ['phone', 'email'] },
		phone: { type: 'string' },
		email: { type: 'string' },
	},
	allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
	if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
	// biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema; nothing awaits this object.
	then: { required: ['phone'] },
	else: { required: ['email'] },
	additionalProperties: false,
};

/** The tools of the conformance fixture, named and worded as the suite expects them. */
export const conformanceTools: readonly Tool[] = [
	defineTool({
		name: 'test_simple_text',
		description: 'Tests simple text content response',
		input: nothing,
		run: () => text('This is a simple text response for testing.'),
	}),
	defineTool({
		name: 'test_image_content',
		description: 'Tests image content response',
		input: nothing,
		run: () => ({ content: [{ type: 'image', data: PNG_PIXEL, mimeType: 'image/png' }] }),
	}),
	defineTool({
		name: 'test_audio_content',
		description: 'Tests audio content response',
		input: nothing,
		run: () => ({ content: [{ type: 'audio', data: SILENT_WAV, mimeType: 'audio/wav' }] }),
	}),
	defineTool({
		name: 'test_embedded_resource',
		description: 'Tests embedded resource content response',
		input: nothing,
		run: () => ({
			content: [
				{
					type: 'resource',
					resource: {
						uri: 'test://embedded-resource',
						mimeType: 'text/plain',
						text: 'This is an embedded resource content.',
					},
				},
			],
		}),
	}),
	defineTool({
		name: 'test_multiple_content_types',
		description: 'Tests response with multiple content types (text, image, resource)',
		input: nothing,
		run: () => ({
			content: [
				{ type: 'text', text: 'Multiple content types test:' },
				{ type: 'image', data: PNG_PIXEL, mimeType: 'image/png' },
				{
					type: 'resource',
					resource: {
						uri: 'test://mixed-content-resource',
						mimeType: 'application/json',
						text: JSON.stringify({ test: 'data', value: 123 }),
					},
				},
			],
		}),
	}),
	defineTool({
		name: 'test_tool_with_logging',
		description: 'Tests tool that emits log messages during execution',
		input: nothing,
		async run(_args, { log, signal }) {
			await log('info', 'Tool execution started');
			await pause(STEP_MS, undefined, { signal });
			await log('info', 'Tool processing data');
			await pause(STEP_MS, undefined, { signal });
			await log('info', 'Tool execution completed');
			return text('Tool with logging executed successfully');
		},
	}),
	defineTool({
		name: 'test_tool_with_progress',
		description: 'Tests tool that reports progress notifications',
		input: nothing,
		async run(_args, { progress, progressToken, signal }) {
			for (const step of [0, 50, 100]) {
				if (step > 0) await pause(STEP_MS, undefined, { signal });
				await progress({ progress: step, total: 100, message: `Completed step ${step} of 100` });
			}
			return text(String(progressToken ?? 'No progress token provided'));
		},
	}),
	defineTool({
		name: 'test_error_handling',
		description: 'Tests error response handling',
		input: nothing,
		run() {
			throw new Error('This tool intentionally returns an error for testing');
		},
	}),
	defineTool({
		name: 'test_reconnection',
		description: 'Closes the connection in the middle of the call; the client comes back for the result (SEP-1699)',
		input: nothing,
		async run(_args, { closeStream, signal }) {
			closeStream();
			await pause(2 * STEP_MS, undefined, { signal });
			return text('Reconnection test completed successfully: the client came back after the stream was closed.');
		},
	}),
	defineTool({
		name: 'test_sampling',
		description: 'Tests server-initiated sampling (LLM completion request)',
		input: z.object({ prompt: z.string().describe('The prompt to send to the LLM') }),
		async run({ prompt }, { sample }) {
			const { content } = await sample(prompt);
			return text(`LLM response: ${content.type === 'text' ? content.text : content.type}`);
		},
	}),
	defineTool({
		name: 'test_elicitation',
		description: 'Tests server-initiated elicitation (user input request)',
		input: z.object({ message: z.string().describe('The message to show the user') }),
		async run({ message }, { elicit }) {
			return text(`User response: ${summary(await elicit({ message, requestedSchema: answerForm }))}`);
		},
	}),
	defineTool({
		name: 'test_elicitation_sep1034_defaults',
		description: 'Tests elicitation with default values per SEP-1034',
		input: nothing,
		async run(_args, { elicit }) {
			const message = 'Please review and update the form fields with defaults';
			return text(`Elicitation completed: ${summary(await elicit({ message, requestedSchema: defaultsForm }))}`);
		},
	}),
	defineTool({
		name: 'test_elicitation_sep1330_enums',
		description: 'Tests elicitation with enum schema improvements per SEP-1330',
		input: nothing,
		async run(_args, { elicit }) {
			const message = 'Please select options from the enum fields';
			return text(`Elicitation completed: ${summary(await elicit({ message, requestedSchema: enumsForm }))}`);
		},
	}),
	defineTool({
		name: 'json_schema_2020_12_tool',
		description: 'Tool with JSON Schema 2020-12 features (SEP-1613, SEP-2106)',
		input: z.looseObject({
			name: z.string().optional(),
			address: z.object({ street: z.string().optional(), city: z.string().optional() }).optional(),
		}),
		inputJsonSchema: jsonSchema2020,
		run: (args) => text(`JSON Schema 2020-12 tool called with: ${JSON.stringify(args)}`),
	}),
];

function summary({ action, content }: ElicitResult): string {
	return `action=${action}, content=${JSON.stringify(content ?? {})}`;
}
