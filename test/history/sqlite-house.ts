import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockFile } from '../support/locked-file.ts';
import { type Fault, MAX_EVENTS, type StoreHouse } from './house.ts';
import { NodeProcess } from './node-process.ts';
import type { Random } from './random.ts';

const nodeCount = 3;

/** A file, and three nodes on it. */
export class SqliteHouse implements StoreHouse {
	readonly nodes: readonly NodeProcess[];
	readonly failsOver = false;
	readonly #folder = mkdtempSync(join(tmpdir(), 'history-'));
	readonly #file = join(this.#folder, 'sessions.db');

	private constructor(mutant: string | undefined) {
		const options = { connection: { file: this.#file }, history: { maxEvents: MAX_EVENTS }, mutant };
		this.nodes = Array.from({ length: nodeCount }, () => new NodeProcess(options));
	}

	static async open(mutant?: string): Promise<SqliteHouse> {
		const house = new SqliteHouse(mutant);
		await Promise.all(house.nodes.map((node) => node.start()));
		return house;
	}

	readonly origins = (): readonly string[] =>
		this.nodes.map(({ origin }) => origin).filter((origin) => origin !== undefined);

	async replicated(): Promise<void> {}

	async replicationHistories(): Promise<string> {
		return '';
	}

	fault(random: Random): Fault {
		const choice = random.int(1, 10);
		if (choice <= 5) return this.#killNode(random);
		if (choice <= 7) return this.#hangNode(random);
		return this.#lockFile(random);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all(this.nodes.map((node) => node.kill()));
		rmSync(this.#folder, { recursive: true, force: true });
	}

	#killNode(random: Random): Fault {
		const node = random.pick(this.nodes);
		const pauseMs = random.int(0, 300);
		return fault('kill a node', async () => {
			await node.kill();
			await sleep(pauseMs);
			await node.start();
		});
	}

	/** For longer than the others keep for it what it must read, at times. */
	#hangNode(random: Random): Fault {
		const node = random.pick(this.nodes);
		const forMs = random.chance(0.1) ? random.int(5_500, 8_000) : random.int(200, 1_500);
		return fault(`hang a node for ${forMs} ms`, async () => {
			const goOn = node.pause();
			await sleep(forMs);
			goOn();
		});
	}

	/** Somebody has the file for themselves, as a backup tool that does not know better. */
	#lockFile(random: Random): Fault {
		const forMs = random.int(50, 1_200);
		return fault(`lock the file for ${forMs} ms`, () => lockFile(this.#file, forMs));
	}
}

function fault(name: string, run: () => Promise<void>): Fault {
	return { name, loses: false, run };
}
