import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@holdfast/session-manager';

/** How long the forms of a page can be sent, in milliseconds. */
const FORM_LIFE_MS = 12 * 3_600_000;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** What only the console can make: the tokens of its forms, and texts that nobody else can read or change. */
export class Secrets {
	readonly #clock: Clock;
	readonly #formKey: Buffer;
	readonly #sealKey: Buffer;
	readonly #nonceKey: Buffer;

	/** Consoles with the same `secret` take what the others made. */
	constructor(clock: Clock, secret: string | Uint8Array = randomBytes(32)) {
		this.#clock = clock;
		const derived = (purpose: string) => Buffer.from(hkdfSync('sha256', secret, '', `holdfast console ${purpose}`, 32));
		this.#formKey = derived('forms');
		this.#sealKey = derived('seals');
		this.#nonceKey = derived('nonces');
	}

	/** Returns the token that the forms of a page carry: nobody but `name` can use it, and not for longer than a day. */
	formToken(name: string): string {
		const end = String(this.#clock.now() + FORM_LIFE_MS);
		return `${end}.${this.#sign(name, end)}`;
	}

	/** Returns whether `token` is one that {@link formToken} made for `name`. */
	isFormToken(token: string, name: string): boolean {
		const [end = '', signature = ''] = token.split('.');
		const [given, wanted] = [Buffer.from(signature), Buffer.from(this.#sign(name, end))];
		return given.length === wanted.length && timingSafeEqual(given, wanted) && Number(end) > this.#clock.now();
	}

	/**
	 * Returns `text` for an address: whoever sees it learns nothing from it. The same text is sealed the same way, so
	 * that a page that did not change looks the same.
	 */
	seal(text: string): string {
		const iv = createHmac('sha256', this.#nonceKey).update(text).digest().subarray(0, IV_BYTES);
		const cipher = createCipheriv('aes-256-gcm', this.#sealKey, iv);
		const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
		return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
	}

	/** Returns what was sealed; `undefined` for anything else. */
	open(sealed: string): string | undefined {
		const bytes = Buffer.from(sealed, 'base64url');
		if (bytes.length < IV_BYTES + TAG_BYTES) return undefined;
		const decipher = createDecipheriv('aes-256-gcm', this.#sealKey, bytes.subarray(0, IV_BYTES), {
			authTagLength: TAG_BYTES,
		});
		decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
		try {
			const text = decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES));
			return Buffer.concat([text, decipher.final()]).toString('utf8');
		} catch {
			return undefined;
		}
	}

	#sign(name: string, end: string): string {
		return createHmac('sha256', this.#formKey).update(`${end}\n${name}`).digest('base64url');
	}
}
