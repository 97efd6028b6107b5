import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One conversation as a JSON file has it. */
interface SeedConversation {
	readonly id: string;
	readonly state: string;
	readonly conversation_history: { role: string; content: string; timestamp: string }[];
}

/**
 * Conversations in plain JSON files, one each, which every change reads and writes as a whole: the simplest thing that
 * could work. Nothing is flushed to the disk, and of two that write at once one loses.
 */
export class SeedConversations {
	readonly #root: string;

	constructor(root: string) {
		this.#root = root;
	}

	async write(person: string, id: string, texts: readonly string[]): Promise<void> {
		await mkdir(join(this.#root, person), { recursive: true });
		const conversation_history = texts.map(messageOf);
		await this.#save(person, { id, state: 'active', conversation_history });
	}

	/** Returns how many messages there are then. */
	async append(person: string, id: string, text: string): Promise<number> {
		const conversation = await this.#load(person, id);
		conversation.conversation_history.push(messageOf(text));
		await this.#save(person, conversation);
		return conversation.conversation_history.length;
	}

	/** Returns how many messages there are. */
	async resume(person: string, id: string): Promise<number> {
		const conversation = await this.#load(person, id);
		await this.#save(person, { ...conversation, state: 'active' });
		return conversation.conversation_history.length;
	}

	/** Returns how many messages contain each of the words. */
	async search(person: string, words: readonly string[], ids?: readonly string[]): Promise<number> {
		const names = ids?.map((id) => `${id}.json`) ?? (await readdir(join(this.#root, person)));
		let found = 0;
		for (const name of names) {
			const { conversation_history } = await this.#load(person, name.replace(/\.json$/, ''));
			for (const { content } of conversation_history) {
				const text = content.toLowerCase();
				if (words.every((word) => text.includes(word))) found++;
			}
		}
		return found;
	}

	remove(): Promise<void> {
		return rm(this.#root, { recursive: true, force: true });
	}

	async #load(person: string, id: string): Promise<SeedConversation> {
		return JSON.parse(await readFile(join(this.#root, person, `${id}.json`), 'utf8')) as SeedConversation;
	}

	async #save(person: string, conversation: SeedConversation): Promise<void> {
		await writeFile(join(this.#root, person, `${conversation.id}.json`), JSON.stringify(conversation, undefined, 2));
	}
}

function messageOf(content: string): SeedConversation['conversation_history'][number] {
	return { role: 'user', content, timestamp: new Date().toISOString() };
}
