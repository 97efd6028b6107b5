/** Statements about heads and who takes part. */
export const headStatements = Object.freeze({
	/** id → the row. */
	read: 'SELECT * FROM holdfast_conversation WHERE id = ?',
	/** id, owner, state, head, used at. */
	insert: `INSERT INTO holdfast_conversation
		(id, owner, state, head, used_at, version, revision, messages, archived, discoveries, changes, bytes)
		VALUES (?, ?, ?, ?, ?, 1, 1, 0, 0, 0, 0, 0)`,
	/** owner, state, head, used at, key. */
	write: `UPDATE holdfast_conversation SET owner = ?, state = ?, head = ?, used_at = max(used_at, ?),
		version = version + 1, revision = revision + 1 WHERE key = ?`,
	/** used at, key. */
	touch: 'UPDATE holdfast_conversation SET used_at = ?, revision = revision + 1 WHERE key = ?',
	/** number of the last message, of the last archived one, bytes more, key. */
	appended: `UPDATE holdfast_conversation SET messages = ?, archived = ?, bytes = bytes + ?, revision = revision + 1
		WHERE key = ?`,
	/** version of the last change, bytes more, key. */
	changed: `UPDATE holdfast_conversation SET changes = ?, bytes = bytes + ?, revision = revision + 1 WHERE key = ?`,
	/** number of the last discovery, bytes more, key. */
	discovered: `UPDATE holdfast_conversation SET discoveries = ?, bytes = bytes + ?, revision = revision + 1
		WHERE key = ?`,
	/** key. */
	delete: 'DELETE FROM holdfast_conversation WHERE key = ?',
	/** owner → n. */
	countOwned: `SELECT count(*) AS n FROM holdfast_conversation WHERE state = 'active' AND owner = ?`,
	/** → n. */
	countLiving: `SELECT count(*) AS n FROM holdfast_conversation WHERE state <> 'terminated'`,
	/** principal, conversation, former. */
	addMember: 'INSERT INTO holdfast_member VALUES (?, ?, ?)',
	/** conversation. */
	removeMembers: 'DELETE FROM holdfast_member WHERE conversation = ?',
	/** after key, principal or NULL, the same, states as JSON, used before or NULL, the same, limit → rows by key. */
	list: `SELECT c.* FROM holdfast_conversation c WHERE c.key > ?
		AND (? IS NULL OR c.key IN (SELECT conversation FROM holdfast_member WHERE principal = ?))
		AND c.state IN (SELECT value FROM json_each(?)) AND (? IS NULL OR c.used_at < ?) ORDER BY c.key LIMIT ?`,
});

/** Statements about messages. */
export const messageStatements = Object.freeze({
	/** conversation, number, by, body → key. */
	insert: 'INSERT INTO holdfast_message (conversation, number, by, body) VALUES (?, ?, ?, ?) RETURNING key',
	/** conversation, before, after, limit → the newest first. */
	read: `SELECT number, body FROM holdfast_message WHERE conversation = ? AND number < ? AND number > ?
		ORDER BY number DESC LIMIT ?`,
	/** conversation, by → rows. */
	by: 'SELECT key, number, body FROM holdfast_message WHERE conversation = ? AND by = ?',
	/** body, key. */
	erase: 'UPDATE holdfast_message SET by = NULL, body = ? WHERE key = ?',
	/** conversation. */
	delete: 'DELETE FROM holdfast_message WHERE conversation = ?',
	/** key → body. */
	one: 'SELECT conversation, number, body FROM holdfast_message WHERE key = ?',
});

/** Statements about the context. */
export const contextStatements = Object.freeze({
	/** conversation → rows. */
	all: 'SELECT * FROM holdfast_context WHERE conversation = ?',
	/** conversation, name → the row. */
	read: 'SELECT * FROM holdfast_context WHERE conversation = ? AND name = ?',
	/** conversation, name, version, value, bytes, added at, updated at, accessed at, by → key. */
	insert: `INSERT INTO holdfast_context
		(conversation, name, version, value, bytes, added_at, updated_at, accessed_at, by, archived)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0) RETURNING key`,
	/** key. */
	remove: 'DELETE FROM holdfast_context WHERE key = ?',
	/** conversation, name → rows of those that are not archived, but for this one. */
	others: `SELECT name, bytes, accessed_at FROM holdfast_context
		WHERE conversation = ? AND archived = 0 AND name <> ?`,
	/** conversation, name → sum of bytes of the same. */
	otherBytes: `SELECT coalesce(sum(bytes), 0) AS bytes FROM holdfast_context
		WHERE conversation = ? AND archived = 0 AND name <> ?`,
	/** conversation, name. */
	archive: 'UPDATE holdfast_context SET archived = 1 WHERE conversation = ? AND name = ?',
	/** at, conversation, name, at. */
	touch: 'UPDATE holdfast_context SET accessed_at = ? WHERE conversation = ? AND name = ? AND accessed_at < ?',
	/** conversation, by → rows. */
	by: 'SELECT key, bytes FROM holdfast_context WHERE conversation = ? AND by = ?',
	/** conversation → live, live_bytes, archived. */
	counts: `SELECT count(*) FILTER (WHERE archived = 0) AS live, coalesce(sum(bytes) FILTER (WHERE archived = 0), 0)
		AS live_bytes, count(*) FILTER (WHERE archived = 1) AS archived FROM holdfast_context WHERE conversation = ?`,
	/** conversation. */
	delete: 'DELETE FROM holdfast_context WHERE conversation = ?',
	/** key → the row. */
	one: 'SELECT * FROM holdfast_context WHERE key = ?',
});

/** Statements about discoveries. */
export const discoveryStatements = Object.freeze({
	/** conversation, number, by, body → key. */
	insert: 'INSERT INTO holdfast_discovery (conversation, number, by, body) VALUES (?, ?, ?, ?) RETURNING key',
	/** conversation, before, after, limit → the newest first. */
	read: `SELECT number, body FROM holdfast_discovery WHERE conversation = ? AND number < ? AND number > ?
		ORDER BY number DESC LIMIT ?`,
	/** conversation, by → rows. */
	by: 'SELECT key, number, body FROM holdfast_discovery WHERE conversation = ? AND by = ?',
	/** body, key. */
	erase: 'UPDATE holdfast_discovery SET by = NULL, body = ? WHERE key = ?',
	/** conversation. */
	delete: 'DELETE FROM holdfast_discovery WHERE conversation = ?',
	/** key → body. */
	one: 'SELECT conversation, number, body FROM holdfast_discovery WHERE key = ?',
});

/** Statements about words. */
export const wordStatements = Object.freeze({
	/** rowid, scope, words. */
	insert: 'INSERT INTO holdfast_words (rowid, scope, words) VALUES (?, ?, ?)',
	/** rowid. */
	delete: 'DELETE FROM holdfast_words WHERE rowid = ?',
	/** conversation, three times. */
	deleteAll: `DELETE FROM holdfast_words WHERE rowid IN (
		SELECT key * 4 FROM holdfast_message WHERE conversation = ?
		UNION ALL SELECT key * 4 + 1 FROM holdfast_context WHERE conversation = ?
		UNION ALL SELECT key * 4 + 2 FROM holdfast_discovery WHERE conversation = ?)`,
	/** query, kinds as JSON, limit → rowid and how well it matches, the best first. */
	search: `SELECT rowid AS item, -bm25(holdfast_words, 0.0, 1.0) AS score FROM holdfast_words
		WHERE holdfast_words MATCH ? AND (rowid & 3) IN (SELECT value FROM json_each(?)) ORDER BY score DESC LIMIT ?`,
	/** principal → keys of the conversations that they may read. */
	scopes: 'SELECT conversation FROM holdfast_member WHERE principal = ? AND former = 0',
	/** key → id and number of the last archived message. */
	conversation: 'SELECT id, archived FROM holdfast_conversation WHERE key = ?',
});
