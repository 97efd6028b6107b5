// One day in a process of its own. Usage: node day.js <1, 2 or 3> <folder>
import { type Conversation, Conversations, FileConversationStore } from '@holdfast/conversations';
import { systemClock } from '@holdfast/session-manager/custom';

const [day = '', folder = ''] = process.argv.slice(2);
const begins = { 1: '2025-09-02T10:00', 2: '2025-09-03T09:30', 3: '2025-09-04T09:00' }[day] ?? '';
/** The clock of that day. Every look at it is a minute later. */
let now = Date.parse(`${begins}:00Z`);
const clock = { ...systemClock, now: () => (now += 60_000) };

const conversations = new Conversations(new FileConversationStore(folder), { clock });
const person = conversations.of('developer');

function tell(text: string): void {
	process.stdout.write(`${text}\n`);
}

async function say(conversation: Conversation, role: 'user' | 'assistant', content: string): Promise<void> {
	await conversation.addMessage({ role, content });
	tell(`\n${role.toUpperCase()}: ${content}`);
}

async function discover(conversation: Conversation, title: string, description: string, relevance = 1) {
	await conversation.addDiscovery({ title, description, relevance });
	tell(`\nDISCOVERY: ${title}`);
}

/** Comes back, and tells what the earlier days left. */
async function resume(): Promise<Conversation> {
	const conversation = await person.open('debug-memory-leak-2025-09');
	const { discoveries, open, totals } = await conversation.resume();
	tell(`Resuming: ${totals.messages} messages, ${totals.context} values.\n\nPrevious discoveries:`);
	for (const { title } of discoveries) tell(`  - ${title}`);
	for (const { kind, title, relevance } of open) tell(`Still open: ${kind} "${title}" (confidence ${relevance})`);
	return conversation;
}

const days: Record<string, () => Promise<void>> = {
	async 1() {
		const conversation = await person.create({
			id: 'debug-memory-leak-2025-09',
			title: 'Memory leak in production',
			project: 'E-Commerce API',
			metadata: { platform: 'AWS EC2 t3.large', runtime: 'Python 3.11', database: 'PostgreSQL 14' },
		});
		await say(
			conversation,
			'user',
			'Production API instances are consuming memory at 100MB/hour. It began with v2.4.0.',
		);
		await say(conversation, 'assistant', 'I will help you track it down. What changed in the v2.4.0 deployment?');
		await conversation.setContext('deployment_diff', {
			version: 'v2.4.0',
			changes: ['Added real-time analytics', 'Upgraded caching layer', 'New webhook processing system'],
		});
		tell('\nChecking database connections...\nExamining cache implementation...');
		await discover(
			conversation,
			'In-memory cache has no eviction policy',
			'The CacheManager stores everything and never removes old entries.',
		);
		await discover(conversation, 'Webhook queue grows unbounded', 'Failed webhooks are tried again for ever.', 0.6);
		const hypothesis = 'Memory leak caused by unbounded in-memory cache';
		await conversation.addDiscovery({
			kind: 'hypothesis',
			title: hypothesis,
			relevance: 0.7,
			context: ['deployment_diff'],
		});
		tell(`\nHYPOTHESIS: ${hypothesis} (confidence: 0.7)`);
		await conversation.suspend();
		tell('\nSuspended for the day.');
	},

	async 2() {
		const conversation = await resume();
		await say(conversation, 'user', 'I added monitoring overnight: the cache has 45,000 entries and uses 2.3GB.');
		await say(conversation, 'assistant', 'That is about 50KB an entry. Let us see what is cached.');
		await conversation.setContext('cache_analysis', {
			total_entries: 45_000,
			memory_usage: '2.3GB',
			largest_entries: { 'user_analytics_*': '15MB each', 'report_data_*': '8MB each' },
		});
		await discover(
			conversation,
			'Analytics data is being cached indefinitely',
			'User analytics objects (15MB each) are cached and never expire.',
		);
		tell('\nWriting notes when the power fails...');
		// The process is killed in the middle of these writes.
		for (let note = 1; ; note++) {
			await conversation.addMessage({ role: 'assistant', content: `Note ${note}` });
			tell(`noted ${note}`);
		}
	},

	async 3() {
		const conversation = await resume();
		await say(
			conversation,
			'user',
			'The fix is deployed: an LRU cache with a limit, and analytics expire after an hour.',
		);
		await conversation.setContext('verification_metrics', {
			before: { memory_growth: '100MB/hour', peak_memory: '8GB before restart' },
			after: { memory_growth: '0MB/hour (stable)', peak_memory: '1.2GB constant' },
		});
		const [found] = await conversation.search('"no eviction policy"');
		tell(`\nThe first trace of it, from ${new Date(found?.at ?? 0).toISOString().slice(0, 10)}: ${found?.snippet}`);
		await conversation.addDiscovery({
			kind: 'decision',
			title: 'Bounded LRU cache and expiring analytics end the leak',
			resolves: [3],
			context: ['verification_metrics'],
		});
		tell('\nDISCOVERY: Bounded LRU cache and expiring analytics end the leak');
		await say(conversation, 'assistant', 'Memory is stable at 1.2GB. The leak is fixed.');
		await conversation.end('solved');
		tell('\nSolved.');
	},
};

const date = new Date(begins).toLocaleDateString('en-US', {
	weekday: 'long',
	year: 'numeric',
	month: 'long',
	day: 'numeric',
});
tell(`\n${'='.repeat(60)}\nDAY ${day}: ${date}\n${'='.repeat(60)}`);
await days[day]?.();
tell('end of day');
// Nothing is closed: the process waits until it is killed.
setInterval(() => {}, 1_000);
