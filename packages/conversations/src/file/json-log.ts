import { Buffer } from 'node:buffer';
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { corruptFile, diskError, hasCode, syncFolder, writeText } from './disk.js';

/**
 * A file of one JSON value a line, which only grows. What follows the last line break is a write that did not end: it
 * does not count, and the next writer puts it aside. What was read once is not read again.
 */
export class JsonLog<T> {
	readonly path: string;
	readonly #parse: (value: unknown) => T;
	#records: T[] = [];
	/** How far the file was read; 0 before it was. */
	#end = 0;
	/** Which file was read: a rewritten one has another number. */
	#inode = 0n;
	#size = 0;

	/** `parse` throws where a value is not a record. */
	constructor(path: string, parse: (value: unknown) => T) {
		this.path = path;
		this.#parse = parse;
	}

	/** Changes when the file is rewritten. */
	get inode(): bigint {
		return this.#inode;
	}

	/** Reads what is new, and returns all records. */
	async load(): Promise<readonly T[]> {
		let file: FileHandle | undefined;
		try {
			file = await open(this.path, 'r');
			const { ino, size } = await file.stat({ bigint: true });
			if (ino !== this.#inode || Number(size) < this.#end) this.#forget();
			this.#inode = ino;
			this.#size = Number(size);
			await this.#readRest(file);
		} catch (error) {
			if (hasCode(error, 'ENOENT', 'ENOTDIR')) this.#forget();
			else throw diskError(error, this.path);
		} finally {
			await file?.close();
		}
		return this.#records;
	}

	/** Appends records in one step: a crash leaves all of them or none. The lock must be held and the log loaded. */
	async append(records: readonly T[]): Promise<void> {
		const line = Buffer.from(`${JSON.stringify(records.length === 1 ? records[0] : records)}\n`);
		let file: FileHandle | undefined;
		try {
			file = await open(this.path, this.#inode === 0n ? 'wx+' : 'r+');
			if (this.#size > this.#end) await this.#putAside(file);
			try {
				await writeAll(file, line, this.#end);
				await file.datasync();
			} catch (error) {
				await file.truncate(this.#end).catch(() => undefined);
				throw error;
			}
			if (this.#inode === 0n) {
				this.#inode = (await file.stat({ bigint: true })).ino;
				await syncFolder(dirname(this.path));
			}
		} catch (error) {
			throw diskError(error, this.path);
		} finally {
			await file?.close();
		}
		this.#end += line.length;
		this.#size = this.#end;
		this.#records.push(...records);
	}

	/** Replaces all records. */
	async replace(records: readonly T[]): Promise<void> {
		await writeText(this.path, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
		this.#forget();
		await this.load();
	}

	async #readRest(file: FileHandle): Promise<void> {
		const bytes = Buffer.alloc(this.#size - this.#end);
		const { bytesRead } = await file.read(bytes, 0, bytes.length, this.#end);
		const complete = bytes.subarray(0, bytes.subarray(0, bytesRead).lastIndexOf(10) + 1);
		if (complete.length === 0) return;
		const records = recordsOf(complete.toString('utf8'), this.path, this.#parse);
		this.#end += complete.length;
		this.#records.push(...records);
	}

	/** Nobody was told that these bytes are stored, but they may be worth something. */
	async #putAside(file: FileHandle): Promise<void> {
		const bytes = Buffer.alloc(this.#size - this.#end);
		await file.read(bytes, 0, bytes.length, this.#end);
		await writeFile(`${this.path}.torn-${Date.now()}`, bytes);
		await file.truncate(this.#end);
	}

	#forget(): void {
		this.#records = [];
		this.#end = 0;
		this.#size = 0;
		this.#inode = 0n;
	}
}

/** Returns the records in lines of JSON; a line is a record, or a list of records that were written together. */
export function recordsOf<T>(text: string, path: string, parse: (value: unknown) => T): T[] {
	return text.split('\n').flatMap((line, index) => {
		if (line === '') return [];
		try {
			const value: unknown = JSON.parse(line);
			return Array.isArray(value) ? value.map(parse) : [parse(value)];
		} catch (error) {
			throw corruptFile(path, `line ${index + 1} is not what was written`, error);
		}
	});
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
	let written = 0;
	while (written < bytes.length) {
		const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
		written += bytesWritten;
	}
}
