import type { IncomingMessage } from 'node:http';

/** The largest form, in bytes. */
const MAX_BYTES = 16_384;

/** A form that cannot be read; `status` says why. */
export class FormError extends Error {
	override readonly name = 'FormError';
	readonly status: 400 | 413 | 415;

	constructor(status: 400 | 413 | 415, message: string) {
		super(message);
		this.status = status;
	}
}

/** Reads the form that a page sent. Rejects with {@link FormError}. */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
	const type = request.headers['content-type'] ?? '';
	if (!/^application\/x-www-form-urlencoded(;|$)/i.test(type))
		throw new FormError(415, 'That is no form of this console.');
	// A framework may have read it.
	const { body } = request as { readonly body?: unknown };
	if (typeof body === 'object' && body !== null && request.readableEnded) {
		const fields = Object.entries(body).filter(([, value]) => typeof value === 'string');
		return new URLSearchParams(fields as [string, string][]);
	}
	const chunks: Buffer[] = [];
	let size = 0;
	try {
		for await (const chunk of request) {
			size += (chunk as Buffer).length;
			if (size > MAX_BYTES) throw new FormError(413, 'That form is too large.');
			chunks.push(chunk as Buffer);
		}
	} catch (error) {
		if (error instanceof FormError) throw error;
		throw new FormError(400, 'The form did not arrive.');
	}
	return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}
