import type { Notifier } from '@holdfast/transport';
import { describe, expect, it } from 'vitest';
import { within } from '../deadline.ts';
import { eventually } from '../eventually.ts';
import { Mailbox } from '../mailbox.ts';
import type { Sdk, Tool } from '../servers.ts';
import { type Answers, connectOfficial, pairs, type Wire } from './official-client.ts';

/** A transport under test, as far as these cases look at it. */
export interface OpenTransport {
	readonly origin: string;
	readonly transport: {
		readonly notify: Notifier;
		stats(): { readonly requestsInFlight: number; readonly requestsWaiting: number };
	};
	/** What `onerror` was told. */
	readonly errors: readonly Error[];
}

const form = { message: 'Name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } };
const prompt = { messages: [{ role: 'user', content: { type: 'text', text: 'Well?' } }], maxTokens: 10 };
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/**
 * What the official clients of both SDKs experience with servers of both, over whichever transport. `open` opens one on
 * the machine's clock, closed when the test is over.
 */
export function describeOfficialClients(
	wire: Wire,
	open: (sdk: Sdk, tools: Record<string, Tool>) => Promise<OpenTransport>,
): void {
	describe.each(pairs)(
		`the official client $client with a server of $server.name, over ${wire}`,
		({ client: clientSdk, server }) => {
			async function connect(tools: Record<string, Tool> = {}, answers: Partial<Answers> = {}) {
				const { origin, transport, errors } = await open(server, tools);
				const client = await connectOfficial(clientSdk, origin, answers, wire);
				return { client, transport, errors };
			}

			it('initializes, lists tools, calls one and pings', async () => {
				const { client, errors } = await connect();
				expect(client.sessionId).toMatch(/^[\x21-\x7e]{20,}$/);
				expect(await client.listTools()).toContain('echo');
				expect(await client.call('echo', { text: 'grüezi 🜚' })).toBe('grüezi 🜚');
				await client.ping();
				expect([client.errors, errors]).toEqual([[], []]);
			});

			it('hears log messages and progress of a call in order, all before its response', async () => {
				const { client } = await connect({
					async work({ here, progress }) {
						for (const n of upTo(20)) {
							await progress(n);
							await here.log('info', n);
						}
						// The clients of HTTP+SSE forget whose progress it is when they read the response together with it.
						if (wire === 'sse') await here.ping();
						return 'done';
					},
				});
				const progress: number[] = [];
				const answer = await client.call('work', {}, { onprogress: (n) => progress.push(n) });
				expect(answer).toBe('done');
				expect(progress).toEqual(upTo(20));
				expect(client.logged).toEqual(upTo(20));
			});

			it.each(['here', 'outside'] as const)(
				'answers a form and a URL, asked on the stream of the call or of the session (%s)',
				async (where) => {
					const asked: unknown[] = [];
					const ask: Tool = async (call) => {
						const named = await call[where].elicit(form);
						const paid = await call[where].elicit({
							mode: 'url',
							message: 'Pay',
							url: 'https://pay.example/1',
							elicitationId: 'e1',
						});
						await call[where].notify('notifications/elicitation/complete', { elicitationId: 'e1' });
						return JSON.stringify([named, paid.action]);
					};
					const { client, errors } = await connect(
						{ ask },
						{
							elicit(question) {
								asked.push(question.mode === 'url' ? question.url : question.message);
								return question.mode === 'url' ? { action: 'decline' } : { action: 'accept', content: { name: 'Ada' } };
							},
						},
					);
					expect(await client.call('ask')).toBe('[{"action":"accept","content":{"name":"Ada"}},"decline"]');
					expect(asked).toEqual(['Name?', 'https://pay.example/1']);
					await client.heard.count(1, 'word that the payment is complete');
					expect(client.heard.items).toMatchObject([
						{ method: 'notifications/elicitation/complete', params: { elicitationId: 'e1' } },
					]);
					expect([client.errors, errors]).toEqual([[], []]);
				},
			);

			it('answers sampling, sampling with tools, and roots', async () => {
				const use = { type: 'tool_use' as const, id: 't1', name: 'weather', input: { at: 'Bern' } };
				const { client } = await connect(
					{
						async consult({ here }) {
							const plain = await here.sample(prompt);
							const tools = [{ name: 'weather', inputSchema: { type: 'object' } }];
							const withTools = await here.sample({ ...prompt, tools });
							return JSON.stringify([plain.content, withTools.content, (await here.roots()).roots]);
						},
					},
					{
						sample: ({ tools }) =>
							tools === undefined
								? { role: 'assistant', model: 'm', content: { type: 'text', text: 'fine' } }
								: { role: 'assistant', model: 'm', stopReason: 'toolUse', content: [use] },
						roots: () => [{ uri: 'file:///home', name: 'home' }],
					},
				);
				const answer = JSON.parse(await client.call('consult'));
				expect(answer).toEqual([{ type: 'text', text: 'fine' }, [use], [{ uri: 'file:///home', name: 'home' }]]);
			});

			it('keeps simultaneous questions of simultaneous calls apart', async () => {
				const { client } = await connect(
					{ ask: async ({ args, here }) => (await here.elicit({ ...form, message: args['name'] })).content.name },
					{ elicit: async ({ message }) => ({ action: 'accept', content: { name: `not ${message}` } }) },
				);
				const names = upTo(30).map((n) => `n${n}`);
				const answers = await Promise.all(names.map((name) => client.call('ask', { name })));
				expect(answers).toEqual(names.map((name) => `not ${name}`));
			});

			it('brings the error of a user who fails to answer back into the call', async () => {
				const elicit = () => {
					throw new Error('the user left');
				};
				const { client } = await connect({ ask: ({ here }) => here.elicit(form) }, { elicit });
				await expect(client.call('ask')).rejects.toThrow('the user left');
			});

			it('hears of resources that it is subscribed to, and of changed lists, and of nothing else', async () => {
				const { client, transport } = await connect({
					hello: async ({ outside }) => {
						await outside.log('info', 'hello');
						return '';
					},
				});
				// A broadcast reaches a session from its first stream on.
				await client.call('hello');
				await client.untilLogged(1);
				await client.subscribe('a://1');
				await client.subscribe('a://2');
				await client.unsubscribe('a://2');
				for (const uri of ['a://1', 'a://2', 'a://3']) await transport.notify.resourceUpdated(uri);
				await transport.notify.toolsChanged();
				await transport.notify.promptsChanged();
				await transport.notify.resourcesChanged();
				await transport.notify.resourceUpdated('a://1');
				await client.heard.count(6, 'six notifications');
				expect(client.heard.items.slice(1).map(({ method, params }) => params?.['uri'] ?? method)).toEqual([
					'a://1',
					'notifications/tools/list_changed',
					'notifications/prompts/list_changed',
					'notifications/resources/list_changed',
					'a://1',
				]);
			});

			it.each(['here', 'outside'] as const)(
				'hears only logs of the level it set, on the stream of the call or of the session (%s)',
				async (where) => {
					const { client } = await connect({
						async say(call) {
							for (const level of ['debug', 'info', 'warning', 'error']) await call[where].log(level, level);
							return '';
						},
					});
					await client.setLoggingLevel('warning');
					await client.call('say');
					await client.setLoggingLevel('debug');
					await client.call('say');
					expect(await client.untilLogged(6)).toEqual(['warning', 'error', 'debug', 'info', 'warning', 'error']);
				},
			);

			it('cancels a call by its AbortSignal: the tool is aborted, and the client goes on', async () => {
				const aborted = new Mailbox<string>();
				const { client, transport, errors } = await connect({
					async hang({ signal, here }) {
						await here.log('info', 'it runs');
						await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
						aborted.push('hang');
						return 'too late';
					},
				});
				const abort = new AbortController();
				const call = client.call('hang', {}, { signal: abort.signal });
				call.catch(() => {});
				await client.untilLogged(1);
				abort.abort('enough');
				await expect(within(call, 'the end of the call')).rejects.toThrow();
				await aborted.count(1, 'abort of the tool');
				expect(await client.call('echo', { text: 'next' })).toBe('next');
				await eventually(() => transport.stats()).toMatchObject({ requestsInFlight: 0, requestsWaiting: 0 });
				expect(errors).toEqual([]);
			});
		},
	);
}
