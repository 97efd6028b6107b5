import { Buffer } from 'node:buffer';
import { encodableText, originalText } from '@holdfast/session-manager/custom';
import type { SqliteDatabase, SqliteStatement, SqliteValue } from './driver.js';

/** A row as it is read. */
export type Row = Readonly<Record<string, SqliteValue>>;

/** A connection with its prepared statements. Statements are constants, so each is prepared once. */
export class SqliteConnection {
	readonly #database: SqliteDatabase;
	readonly #statements = new Map<string, SqliteStatement>();

	constructor(database: SqliteDatabase) {
		this.#database = database;
	}

	exec(sql: string): void {
		this.#database.exec(sql);
	}

	run(sql: string, ...values: SqliteValue[]): void {
		this.#prepared(sql).run(...values);
	}

	get(sql: string, ...values: SqliteValue[]): Row | undefined {
		// better-sqlite3 and node:sqlite return `undefined` where there is no row, others `null`.
		return (this.#prepared(sql).get(...values) as Row | null | undefined) ?? undefined;
	}

	all(sql: string, ...values: SqliteValue[]): Row[] {
		return this.#prepared(sql).all(...values) as Row[];
	}

	close(): void {
		this.#statements.clear();
		this.#database.close();
	}

	#prepared(sql: string): SqliteStatement {
		let statement = this.#statements.get(sql);
		if (statement === undefined) {
			statement = this.#database.prepare(sql);
			this.#statements.set(sql, statement);
		}
		return statement;
	}
}

/**
 * Returns `text` as it is bound. Drivers encode it, and end it at U+0000, so that two ids would be one: it is stored so
 * that it can be encoded, and with U+0000 as bytes, which equal no other text.
 */
export function bound(text: string): string | Uint8Array {
	const encodable = encodableText(text);
	return encodable.includes('\0') ? Buffer.from(encodable, 'utf8') : encodable;
}

/** Returns the text of a column that was {@link bound}. */
export function textOf(value: SqliteValue | undefined): string {
	if (typeof value === 'string') return originalText(value);
	if (!(value instanceof Uint8Array)) return '';
	return originalText(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString());
}

/** Returns the number of a column; `undefined` for NULL. */
export function numberOf(value: SqliteValue | undefined): number | undefined {
	return value === null || value === undefined ? undefined : Number(value);
}
