/** Statements about heads and who takes part. */
export const headStatements = Object.freeze({
	/** id → the row. */
	read: 'SELECT * FROM holdfast_conversation WHERE id = ?',
	/** id, owner, state, head, used at. */
	insert: `INSERT INTO holdfast_conversation
		(id, owner, state, head, used_at, version, revision, messages, archived, discoveries, changes, bytes)
		VALUES (?, ?, ?, ?, ?, 1, 1, 0, 0, 0, 0, 0)`,
	/** owner, owner, state, head, used at, key. What a new owner adds goes on a shelf of theirs. */
	write: `UPDATE holdfast_conversation SET shelf = CASE WHEN owner = ? THEN shelf ELSE 0 END, owner = ?, state = ?,
		head = ?, used_at = max(used_at, ?), version = version + 1, revision = revision + 1 WHERE key = ?`,
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
	/** id. Nobody finds the conversation any more: a number is no id. */
	abandon: `UPDATE holdfast_conversation SET id = key, state = 'terminated', head = '' WHERE id = ?`,
	/** → the first key of those, of which something may be left. */
	abandoned: `SELECT key FROM holdfast_conversation WHERE typeof(id) = 'integer' LIMIT 1`,
	/** key. */
	delete: 'DELETE FROM holdfast_conversation WHERE key = ?',
	/** owner → n. */
	countOwned: `SELECT count(*) AS n FROM holdfast_conversation WHERE state = 'active' AND owner = ?`,
	/** owner → n of all that they have. Those that were deleted are nobody's. */
	countKept: `SELECT count(*) AS n FROM holdfast_conversation WHERE owner = ? AND typeof(id) <> 'integer'`,
	/** → n. */
	countLiving: `SELECT count(*) AS n FROM holdfast_conversation WHERE state <> 'terminated'`,
	/** principal, conversation, former. */
	addMember: 'INSERT INTO holdfast_member VALUES (?, ?, ?)',
	/** conversation. */
	removeMembers: 'DELETE FROM holdfast_member WHERE conversation = ?',
	/** after key, states as JSON, used before or NULL, the same, limit → rows by key. */
	list: `SELECT c.* FROM holdfast_conversation c WHERE c.key > ? AND c.state IN (SELECT value FROM json_each(?))
		AND (? IS NULL OR c.used_at < ?) AND typeof(c.id) <> 'integer' ORDER BY c.key LIMIT ?`,
	/** principal, then the same → rows of those in which they take part, or did. */
	listOf: `SELECT c.* FROM holdfast_member m JOIN holdfast_conversation c ON c.key = m.conversation
		WHERE m.principal = ? AND m.conversation > ? AND c.state IN (SELECT value FROM json_each(?))
		AND (? IS NULL OR c.used_at < ?) ORDER BY m.conversation LIMIT ?`,
});

/** Statements about messages and discoveries, which are kept alike. */
const itemStatements = (table: 'message' | 'discovery') =>
	Object.freeze({
		/** key, by, body. */
		insert: `INSERT INTO holdfast_${table} (key, by, body) VALUES (?, ?, ?)`,
		/** after key, before key, limit → the newest first. */
		read: `SELECT key, body FROM holdfast_${table} WHERE key > ? AND key < ? ORDER BY key DESC LIMIT ?`,
		/** after key, before key, limit, bytes → the first key of the newest with so many together, or of the newest. */
		fitting: `SELECT key FROM (
			SELECT key, bytes, sum(bytes) OVER (ORDER BY key DESC) AS together FROM (
				SELECT key, octet_length(body) AS bytes FROM holdfast_${table}
				WHERE key > ? AND key < ? ORDER BY key DESC LIMIT ?))
			WHERE together <= ? OR together = bytes ORDER BY key LIMIT 1`,
		/** from key, to key, by → rows. */
		by: `SELECT key, body FROM holdfast_${table} WHERE key >= ? AND key < ? AND by = ?`,
		/** body, key. */
		erase: `UPDATE holdfast_${table} SET by = NULL, body = ? WHERE key = ?`,
		/** from key, to key. */
		delete: `DELETE FROM holdfast_${table} WHERE key >= ? AND key < ?`,
		/** from key, to key → the first key, or NULL. */
		first: `SELECT min(key) AS key FROM holdfast_${table} WHERE key >= ? AND key < ?`,
		/** key → the row. */
		one: `SELECT key, body FROM holdfast_${table} WHERE key = ?`,
		/** after key, limit → rows by key. */
		page: `SELECT key, body FROM holdfast_${table} WHERE key > ? ORDER BY key LIMIT ?`,
	});

/** Statements about messages. */
export const messageStatements = itemStatements('message');

/** Statements about discoveries. */
export const discoveryStatements = itemStatements('discovery');

/** Statements about the context. */
export const contextStatements = Object.freeze({
	/** conversation → rows. */
	all: 'SELECT * FROM holdfast_context WHERE conversation = ?',
	/** conversation → rows of those that are not archived. */
	live: 'SELECT * FROM holdfast_context WHERE conversation = ? AND archived = 0',
	/** conversation, name → the row. */
	read: 'SELECT * FROM holdfast_context WHERE conversation = ? AND name = ?',
	/** key, conversation, name, value, bytes, added at, updated at, accessed at, by. */
	insert: `INSERT INTO holdfast_context
		(key, conversation, name, value, bytes, added_at, updated_at, accessed_at, by, archived)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
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
	/** from key, to key, by → rows. */
	by: 'SELECT key, bytes FROM holdfast_context WHERE key >= ? AND key < ? AND by = ?',
	/** conversation → live, live_bytes, archived. */
	counts: `SELECT count(*) FILTER (WHERE archived = 0) AS live, coalesce(sum(bytes) FILTER (WHERE archived = 0), 0)
		AS live_bytes, count(*) FILTER (WHERE archived = 1) AS archived FROM holdfast_context WHERE conversation = ?`,
	/** from key, to key. */
	delete: 'DELETE FROM holdfast_context WHERE key >= ? AND key < ?',
	/** from key, to key → the first key, or NULL. */
	first: 'SELECT min(key) AS key FROM holdfast_context WHERE key >= ? AND key < ?',
	/** key → the row. */
	one: 'SELECT * FROM holdfast_context WHERE key = ?',
	/** after key, limit → rows by key. */
	page: 'SELECT * FROM holdfast_context WHERE key > ? ORDER BY key LIMIT ?',
});

/** Statements about shelves: parts of the index that hold the words of one owner's conversations. */
export const shelfStatements = Object.freeze({
	/** words, conversation, room → the shelf that it fills, unless that is full. */
	fill: `UPDATE holdfast_shelf SET words = words + ?
		WHERE key = (SELECT shelf FROM holdfast_conversation WHERE key = ?) AND words < ? RETURNING key`,
	/** words, shelf. */
	weigh: 'UPDATE holdfast_shelf SET words = words + ? WHERE key = ?',
	/** conversation → the newest shelf of its owner, or 0. */
	newestOfOwner: `SELECT max(shelf) AS shelf FROM holdfast_conversation
		WHERE owner = (SELECT owner FROM holdfast_conversation WHERE key = ?)`,
	/** shelf, room → a row if it is not full. */
	withRoom: 'SELECT key FROM holdfast_shelf WHERE key = ? AND words < ?',
	/** → a new one. */
	add: 'INSERT INTO holdfast_shelf (words) VALUES (0) RETURNING key',
	/** shelf, conversation: it fills this one from now on. */
	use: 'UPDATE holdfast_conversation SET shelf = ? WHERE key = ?',
	/** conversation, shelf. */
	note: 'INSERT OR IGNORE INTO holdfast_shelved (conversation, shelf) VALUES (?, ?)',
	/** conversation, conversation: those on which nothing else is. */
	removeAlone: `DELETE FROM holdfast_shelf WHERE key IN (SELECT shelf FROM holdfast_shelved WHERE conversation = ?)
		AND NOT EXISTS (SELECT 1 FROM holdfast_shelved s WHERE s.shelf = holdfast_shelf.key AND s.conversation <> ?)`,
	/** conversation. */
	leave: 'DELETE FROM holdfast_shelved WHERE conversation = ?',
	/** conversation → its shelves, the newest first. */
	of: 'SELECT shelf FROM holdfast_shelved WHERE conversation = ? ORDER BY shelf DESC',
	/** principal, before conversation, limit of conversations → those that they may read, with their shelves. */
	readable: `SELECT m.conversation, s.shelf FROM (
			SELECT conversation FROM holdfast_member WHERE principal = ? AND conversation < ? AND former = 0
			ORDER BY conversation DESC LIMIT ?
		) m LEFT JOIN holdfast_shelved s ON s.conversation = m.conversation`,
});

/** Statements about words. */
export const wordStatements = Object.freeze({
	/** rowid, words. */
	insert: 'INSERT INTO holdfast_words (rowid, words) VALUES (?, ?)',
	/** rowid. */
	delete: 'DELETE FROM holdfast_words WHERE rowid = ?',
	/** from rowid, to rowid. */
	deleteAll: 'DELETE FROM holdfast_words WHERE rowid >= ? AND rowid < ?',
	/** query, kinds as JSON, principal, limit → items that they may read, of the conversations used last. */
	readable: `SELECT holdfast_words.rowid AS item FROM holdfast_words
		CROSS JOIN holdfast_conversation c ON c.key = holdfast_words.rowid >> 28
		WHERE holdfast_words MATCH ? AND (holdfast_words.rowid & 3) IN (SELECT value FROM json_each(?))
		AND EXISTS (SELECT 1 FROM holdfast_member m WHERE m.principal = ? AND m.conversation = c.key AND m.former = 0)
		ORDER BY c.used_at DESC, holdfast_words.rowid DESC LIMIT ?`,
	/** query, from rowid, last rowid, kinds as JSON, limit → the newest items first. */
	within: `SELECT rowid AS item FROM holdfast_words WHERE holdfast_words MATCH ? AND rowid BETWEEN ? AND ?
		AND (rowid & 3) IN (SELECT value FROM json_each(?)) ORDER BY rowid DESC LIMIT ?`,
	/** principal, conversation → a row if they may read it. */
	mayRead: 'SELECT 1 FROM holdfast_member WHERE principal = ? AND conversation = ? AND former = 0',
	/** key → id and number of the last archived message. */
	conversation: `SELECT id, archived FROM holdfast_conversation WHERE key = ? AND typeof(id) <> 'integer'`,
});
