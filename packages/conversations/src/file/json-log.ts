import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { corruptFile, diskError, hasCode, syncFolder, writeText } from './disk.js';

/** The length of the first line, which names the log: file systems give the number of a removed file to the next. */
const HEADER_LENGTH = headerOf(randomUUID()).length;

/**
 * A file of one JSON value a line, which only grows. What follows the last line break is a write that did not end: it
 * does not count, and the next writer puts it aside. What was read once is not read again.
 */
export class JsonLog<T> {
	readonly path: string;
	readonly #parse: (value: unknown) => T;
	#records: T[] = [];
	/** The name in the first line; a rewritten file has another. Empty where there is none. */
	#name = '';
	#exists = false;
	/** How far whole lines go. */
	#end = 0;
	#lines = 0;
	#size = 0;

	/** `parse` throws where a value is not a record. */
	constructor(path: string, parse: (value: unknown) => T) {
		this.path = path;
		this.#parse = parse;
	}

	/** Changes when the file is rewritten. */
	get name(): string {
		return this.#name;
	}

	/** Reads what is new, and returns all records. */
	async load(): Promise<readonly T[]> {
		let file: FileHandle | undefined;
		try {
			file = await open(this.path, 'r');
			this.#size = (await file.stat()).size;
			const name = await this.#readName(file);
			if (name !== this.#name || this.#size < this.#end) this.#forget();
			this.#name = name;
			this.#exists = true;
			if (name !== '') await this.#readRest(file);
		} catch (error) {
			if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw diskError(error, this.path);
			this.#forget();
			this.#size = 0;
		} finally {
			await file?.close();
		}
		return this.#records;
	}

	/** Appends records in one step: a crash leaves all of them or none. The lock must be held and the log loaded. */
	async append(records: readonly T[]): Promise<void> {
		const name = this.#name || randomUUID();
		const line = `${JSON.stringify(records.length === 1 ? records[0] : records)}\n`;
		const bytes = Buffer.from(this.#name === '' ? headerOf(name) + line : line);
		let file: FileHandle | undefined;
		try {
			file = await open(this.path, this.#exists ? 'r+' : 'wx+');
			if (this.#size > this.#end) await this.#putAside(file);
			try {
				await writeAll(file, bytes, this.#end);
				await file.datasync();
			} catch (error) {
				await file.truncate(this.#end).catch(() => undefined);
				throw error;
			}
			if (!this.#exists) await syncFolder(dirname(this.path));
		} catch (error) {
			throw diskError(error, this.path);
		} finally {
			await file?.close();
		}
		this.#exists = true;
		this.#lines += this.#name === '' ? 2 : 1;
		this.#name = name;
		this.#end += bytes.length;
		this.#size = this.#end;
		for (const record of records) this.#records.push(record);
	}

	/** Replaces all records. */
	async replace(records: readonly T[]): Promise<void> {
		await writeText(this.path, logText(records));
		await this.load();
	}

	/** Returns the name of the log; an empty text where not even the first line is whole. */
	async #readName(file: FileHandle): Promise<string> {
		const bytes = Buffer.alloc(HEADER_LENGTH);
		const { bytesRead } = await file.read(bytes, 0, HEADER_LENGTH, 0);
		const text = bytes.toString('utf8', 0, bytesRead);
		const [, name] = /^\{"log":"([\da-f-]{36})"\}\n$/.exec(text) ?? [];
		if (name !== undefined) return name;
		if (text.includes('\n') || bytesRead === HEADER_LENGTH) {
			throw corruptFile(this.path, 'line 1 is not what was written');
		}
		return '';
	}

	async #readRest(file: FileHandle): Promise<void> {
		if (this.#end === 0) [this.#end, this.#lines] = [HEADER_LENGTH, 1];
		const bytes = Buffer.alloc(this.#size - this.#end);
		const { bytesRead } = await file.read(bytes, 0, bytes.length, this.#end);
		const complete = bytes.subarray(0, bytes.subarray(0, bytesRead).lastIndexOf(10) + 1);
		if (complete.length === 0) return;
		const text = complete.toString('utf8');
		const records = recordsOf(text, this.path, this.#parse, this.#lines);
		this.#end += complete.length;
		this.#lines += text.split('\n').length - 1;
		for (const record of records) this.#records.push(record);
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
		this.#name = '';
		this.#exists = false;
		this.#end = 0;
		this.#lines = 0;
	}
}

/** Returns the text of a whole log. */
export function logText(records: readonly unknown[]): string {
	return headerOf(randomUUID()) + records.map((record) => `${JSON.stringify(record)}\n`).join('');
}

/**
 * Returns the records in lines of JSON; a line is a record, or a list of records that were written together. `before`
 * lines came before these.
 */
export function recordsOf<T>(text: string, path: string, parse: (value: unknown) => T, before = 0): T[] {
	return text.split('\n').flatMap((line, index) => {
		if (line === '') return [];
		try {
			const value: unknown = JSON.parse(line);
			return Array.isArray(value) ? value.map(parse) : [parse(value)];
		} catch (error) {
			throw corruptFile(path, `line ${before + index + 1} is not what was written`, error);
		}
	});
}

function headerOf(name: string): string {
	return `{"log":"${name}"}\n`;
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
	let written = 0;
	while (written < bytes.length) {
		const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
		written += bytesWritten;
	}
}
