import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { ConversationError } from '../contract/conversation-error.js';

/** Text of more bytes than this is stored compressed. */
export const COMPRESSED_FROM_BYTES = 10_000;

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Returns whether `error` is the file system's, with one of `codes`. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
	return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** Returns the error for a disk that failed: `unavailable`, unless it is an expected failure already. */
export function diskError(error: unknown, path: string): ConversationError {
	if (error instanceof ConversationError) return error;
	const reason = hasCode(error, 'ENOSPC', 'EDQUOT', 'EFBIG')
		? 'The disk is full: free some space, then try again.'
		: `The disk does not answer: ${error instanceof Error ? error.message : String(error)}`;
	return new ConversationError('unavailable', `${path} cannot be used. ${reason}`, { cause: error });
}

/** Returns the error for a file that cannot be understood. */
export function corruptFile(path: string, reason: string, cause?: unknown): ConversationError {
	return new ConversationError(
		'corrupt',
		`${path} is damaged: ${reason}. It stays as it is; repair the conversation to keep aside what is damaged.`,
		{ cause },
	);
}

/** Returns the content of a file, decompressed where its name ends in `.gz`; `undefined` where there is none. */
export async function readText(path: string): Promise<string | undefined> {
	let bytes: Buffer;
	try {
		await using file = await open(path, 'r');
		bytes = await file.readFile();
	} catch (error) {
		if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
		throw diskError(error, path);
	}
	if (!path.endsWith('.gz')) return bytes.toString('utf8');
	try {
		return (await decompress(bytes)).toString('utf8');
	} catch (error) {
		throw corruptFile(path, 'it cannot be decompressed', error);
	}
}

/**
 * Replaces a file, compressed where its name ends in `.gz`. Whoever reads it, also after a crash, finds the old text or
 * the new one.
 */
export async function writeText(path: string, text: string): Promise<void> {
	const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
	try {
		await using file = await open(temporary, 'wx');
		await file.writeFile(path.endsWith('.gz') ? await compress(text) : text);
		await file.datasync();
		await rename(temporary, path);
		await syncFolder(dirname(path));
	} catch (error) {
		await rm(temporary, { force: true }).catch(() => undefined);
		throw diskError(error, path);
	}
}

/** Makes a folder, and those above it, where it is missing. */
export async function makeFolder(path: string): Promise<void> {
	try {
		await mkdir(path, { recursive: true });
	} catch (error) {
		throw diskError(error, path);
	}
}

/**
 * Removes from a folder, if it is there, what was put aside, and what is left of writes that did not end; it may hold
 * what a person wrote.
 */
export async function removeLeftovers(folder: string): Promise<void> {
	const leftover = /\.(torn|corrupt)-\d+$|^\..+\.[\da-f]{8}-[\da-f-]{27}$/;
	try {
		for (const name of await readdir(folder)) {
			if (leftover.test(name)) await rm(join(folder, name), { force: true });
		}
	} catch (error) {
		if (hasCode(error, 'ENOENT')) return;
		throw diskError(error, folder);
	}
}

/** Makes the names in a folder last. */
export async function syncFolder(path: string): Promise<void> {
	let folder: FileHandle | undefined;
	try {
		folder = await open(path, 'r');
		await folder.sync();
	} catch (error) {
		// Some file systems do not sync folders; there the names last as the files do.
		if (!hasCode(error, 'EINVAL', 'EPERM', 'EISDIR')) throw error;
	} finally {
		await folder?.close();
	}
}
