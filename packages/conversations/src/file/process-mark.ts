import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { ConversationError } from '../contract/conversation-error.js';
import { diskError, hasCode } from './disk.js';

/** The longest path of a socket that every system takes. */
const MAX_SOCKET_PATH = 100;

/**
 * Shows other processes on the host that this one lives: it listens on a socket in a folder that they share. The socket
 * refuses connections from the moment the process ends, however it ends.
 */
export class ProcessMark {
	/** The name of this process among the others. */
	readonly name = randomUUID();
	readonly #folder: string;
	#sockets: string;
	#handle: FileHandle | undefined;
	#server: Server | undefined;

	constructor(folder: string) {
		this.#folder = folder;
		this.#sockets = folder;
	}

	/** Begins to listen, and removes the marks of processes that have ended. */
	async open(): Promise<void> {
		try {
			await mkdir(this.#folder, { recursive: true });
			if (join(this.#folder, this.#socket(this.name)).length > MAX_SOCKET_PATH) await this.#shorten();
			const server = createServer((socket) => socket.destroy());
			await new Promise<void>((resolve, reject) => {
				server.once('error', reject);
				server.listen(join(this.#sockets, this.name), resolve);
			});
			server.unref();
			this.#server = server;
			// It gets the name that others look for only now, or they could find it before it listens.
			await rename(join(this.#folder, this.name), join(this.#folder, this.#socket(this.name)));
			await this.#removeDead();
		} catch (error) {
			throw diskError(error, this.#folder);
		}
	}

	/** Returns whether the process `name` lives. */
	isAlive(name: string): Promise<boolean> {
		return new Promise((resolve) => {
			const socket = connect(join(this.#sockets, this.#socket(name)));
			socket.once('connect', () => {
				socket.destroy();
				resolve(true);
			});
			// Whatever else is wrong, such as too many open files, does not mean that the other process has ended.
			socket.once('error', (error) => resolve(!hasCode(error, 'ECONNREFUSED', 'ENOENT')));
		});
	}

	async close(): Promise<void> {
		this.#server?.close();
		await rm(join(this.#folder, this.#socket(this.name)), { force: true });
		await this.#handle?.close();
		this.#handle = undefined;
	}

	#socket(name: string): string {
		return `${name}.sock`;
	}

	/** Linux names a folder that is open by a short path. */
	async #shorten(): Promise<void> {
		if (process.platform !== 'linux') {
			throw new ConversationError(
				'invalid',
				`The path ${this.#folder} is too long for a socket: choose a shorter one.`,
			);
		}
		this.#handle = await open(this.#folder, 'r');
		this.#sockets = `/proc/self/fd/${this.#handle.fd}`;
	}

	async #removeDead(): Promise<void> {
		const names = (await readdir(this.#folder))
			.filter((name) => name.endsWith('.sock'))
			.map((name) => name.slice(0, -5));
		for (const name of names) {
			if (!(await this.isAlive(name))) await rm(join(this.#folder, this.#socket(name)), { force: true });
		}
	}
}
