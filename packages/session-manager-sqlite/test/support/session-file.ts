import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file for sessions in a folder of its own, which each node reaches by a way of its own that can be cut. */
export class SessionFile implements Disposable {
	readonly #base = mkdtempSync(join(tmpdir(), 'sessions-'));
	readonly #folder = join(this.#base, 'folder');

	constructor() {
		mkdirSync(this.#folder);
	}

	/** The path by which every node reaches it. */
	get path(): string {
		return join(this.#folder, 'sessions.db');
	}

	/** Returns the path by which one node reaches it. */
	wayOf(index: number): string {
		symlinkSync('folder', join(this.#base, `node-${index}`));
		return join(this.#base, `node-${index}`, 'sessions.db');
	}

	cut(index: number): void {
		renameSync(join(this.#base, `node-${index}`), join(this.#base, `cut-${index}`));
	}

	mend(index: number): void {
		renameSync(join(this.#base, `cut-${index}`), join(this.#base, `node-${index}`));
	}

	/** Takes the folder away. */
	takeAway(): void {
		renameSync(this.#folder, `${this.#folder}.away`);
	}

	/** Takes the folder away, and puts a link in its place that leads to itself. */
	leadAstray(): void {
		this.takeAway();
		symlinkSync(this.#folder, this.#folder);
	}

	putBack(): void {
		rmSync(this.#folder, { force: true });
		renameSync(`${this.#folder}.away`, this.#folder);
	}

	/** Puts another file in its place, as an operator does. */
	replace(content: Uint8Array | string = ''): void {
		const other = join(this.#base, 'other.db');
		writeFileSync(other, content);
		for (const name of ['', '-wal', '-shm']) rmSync(this.path + name, { force: true });
		renameSync(other, this.path);
	}

	[Symbol.dispose](): void {
		rmSync(this.#base, { recursive: true, force: true });
	}
}
