import { Buffer } from 'node:buffer';
import { SessionManagerError } from '../contract/session-manager-error.js';
import type { Json } from '../contract/session-record.js';

/**
 * A value that a session can remember. A value is read back as the type that was written. Within JSON, values that JSON
 * cannot represent are refused; `undefined` members are omitted and -0 becomes 0.
 */
export type StateValue = string | number | bigint | boolean | Uint8Array | Json;

/**
 * Encodes a value as text: one letter for the type, then the value. Throws `TypeError` for anything that is not a
 * {@link StateValue}.
 */
export function encodeStateValue(value: StateValue): string {
	switch (typeof value) {
		case 'string':
			// Some stores accept neither lone surrogates nor NUL in text; JSON escapes them.
			return /\p{Surrogate}/u.test(value) || value.includes('\0') ? `j${JSON.stringify(value)}` : `s${value}`;
		case 'number':
			return `n${Object.is(value, -0) ? '-0' : value}`;
		case 'bigint':
			return `i${value}`;
		case 'boolean':
			return value ? 'b1' : 'b0';
		case 'object': {
			if (value instanceof Uint8Array) {
				return `x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}`;
			}
			return `j${JSON.stringify(value, refuseWhatJsonLoses)}`;
		}
		default:
			throw new TypeError(`${named(value)} cannot be stored in session state.`);
	}
}

/** Names a value that is no state, at the beginning of a sentence. */
function named(value: unknown): string {
	return value === undefined ? 'undefined' : `A ${typeof value}`;
}

/** Decodes a value. Throws `SessionManagerError` `corrupt` for text that {@link encodeStateValue} did not write. */
export function decodeStateValue(text: string): StateValue {
	const body = text.slice(1);
	let value: StateValue | undefined;
	try {
		switch (text[0]) {
			case 's':
				return body;
			case 'j':
				return JSON.parse(body) as Json;
			case 'n':
				value = Number(body);
				break;
			case 'i':
				value = BigInt(body);
				break;
			case 'b':
				value = body === '1';
				break;
			case 'x':
				value = new Uint8Array(Buffer.from(body, 'base64'));
				break;
		}
	} catch (cause) {
		throw new SessionManagerError('corrupt', 'A stored state value cannot be read.', { cause });
	}
	// These parsers accept more than `encodeStateValue` writes.
	if (value === undefined || encodeStateValue(value) !== text) {
		throw new SessionManagerError('corrupt', 'A stored state value has an unknown format.');
	}
	return value;
}

/** Returns whether `value` is an object of no class, of whichever realm: one of a class would come back without it. */
function isPlain(value: unknown): boolean {
	if (Object.prototype.toString.call(value) !== '[object Object]') return false;
	const prototype: object | null = Object.getPrototypeOf(value);
	return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A replacer that changes nothing, but throws where `JSON.stringify` would silently write something else. */
function refuseWhatJsonLoses(this: unknown, key: string, written: unknown): unknown {
	const value = (this as Record<string, unknown>)[key];
	const plain =
		value === null ||
		typeof value === 'string' ||
		typeof value === 'boolean' ||
		(typeof value === 'number' && Number.isFinite(value)) ||
		(value === undefined && !Array.isArray(this)) ||
		Array.isArray(value) ||
		isPlain(value);
	// A method `toJSON` puts something else in its place.
	if (!plain || written !== value)
		throw new TypeError('A JSON value in session state must not contain anything that JSON cannot represent.');
	return written;
}
