/** Logs: the history of a session, or of the broadcasts. */
export const logStatements = Object.freeze({
	/** Takes a session. Returns its log. */
	read: 'SELECT key, born, trimmed, events, bytes, seen, undelivered, ends_at FROM holdfast_log WHERE session = ?',
	/** Takes the session, the newest id twice, the time and when to sweep it. Returns the key. */
	add: `INSERT INTO holdfast_log (session, born, trimmed, events, bytes, seen, used_at, reap_at)
		VALUES (?, ?, ?, 0, 0, 0, ?, ?) RETURNING key`,
	/** Takes what is trimmed, events, bytes and the time, then the key. */
	write: 'UPDATE holdfast_log SET trimmed = ?, events = ?, bytes = ?, used_at = ? WHERE key = ?',
	/** Takes when to sweep at the latest, then the key. */
	hasten: 'UPDATE holdfast_log SET reap_at = min(reap_at, ?) WHERE key = ?',
	/** Takes the time, then the key. A stream was taken. */
	use: 'UPDATE holdfast_log SET used_at = ? WHERE key = ?',
	/** Takes where the broadcasts begin that nobody got, and the time, then the key. The session stream was held. */
	see: 'UPDATE holdfast_log SET seen = 1, undelivered = ?, used_at = ? WHERE key = ?',
	/** Takes the time when the session ends, and again, then the key. */
	end: 'UPDATE holdfast_log SET ends_at = ?, reap_at = min(reap_at, ?) WHERE key = ?',
	/** Takes a time and how many. Returns the logs that are to be swept. */
	due: `SELECT key, session, born, trimmed, events, bytes, seen, undelivered, ends_at, used_at FROM holdfast_log
		WHERE reap_at <= ? ORDER BY reap_at LIMIT ?`,
	/** Takes when to sweep next, then the key. */
	postpone: 'UPDATE holdfast_log SET reap_at = ? WHERE key = ?',
	/** Takes a key. */
	remove: 'DELETE FROM holdfast_log WHERE key = ?',
	/** Takes a key. Nobody finds the log any more, and it is swept first: a number is no session. */
	abandon: 'UPDATE holdfast_log SET session = key, ends_at = -9e15, reap_at = -9e15 WHERE key = ?',
});

/** Streams of a log. */
export const streamStatements = Object.freeze({
	/** Takes a log and a channel. Returns the stream. */
	read: `SELECT dropped, over, undelivered, uncertain, token, process, since, began, broadcasts, used_at
		FROM holdfast_stream WHERE log = ? AND channel = ?`,
	/** Takes a log. Returns its streams that are held, and by whom. */
	heldOf: 'SELECT channel, process FROM holdfast_stream WHERE log = ? AND process IS NOT NULL',
	/** Takes the log, the channel, where the undelivered events begin, and the time. */
	add: `INSERT INTO holdfast_stream (log, channel, dropped, undelivered, uncertain, used_at) VALUES (?, ?, 0, ?, 0, ?)`,
	/** Takes where the undelivered events begin, unless that is known, and the time, then the log and the channel. */
	wait: `UPDATE holdfast_stream SET undelivered = coalesce(undelivered, ?), used_at = ?
		WHERE log = ? AND channel = ?`,
	/** Takes the last event, then the log and the channel. */
	end: 'UPDATE holdfast_stream SET over = ? WHERE log = ? AND channel = ?',
	/** Takes the newest dropped event, then the log and the channel. */
	drop: 'UPDATE holdfast_stream SET dropped = ? WHERE log = ? AND channel = ?',
	/**
	 * Takes token, process, the newest id, where the slice and the broadcasts of the holder begin, whether one of them
	 * has a gap, and the time, then the log and the channel.
	 */
	take: `UPDATE holdfast_stream SET token = ?, process = ?, since = ?, began = ?, broadcasts = ?, undelivered = NULL,
		uncertain = ?, used_at = ? WHERE log = ? AND channel = ?`,
	/** The same for a stream that is not known yet. */
	addTaken: `INSERT INTO holdfast_stream (token, process, since, began, broadcasts, uncertain, used_at, log, channel,
		dropped) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
	/** Takes where the undelivered events begin, whether that is uncertain, the time, then the log and the channel. */
	free: `UPDATE holdfast_stream SET token = NULL, process = NULL, since = NULL, undelivered = ?,
		uncertain = ?, used_at = ? WHERE log = ? AND channel = ?`,
	/** Takes a log and a channel. */
	remove: 'DELETE FROM holdfast_stream WHERE log = ? AND channel = ?',
	/** Takes a log, again, and how many. Returns a row for each that it removed. */
	removeSome: `DELETE FROM holdfast_stream WHERE log = ? AND channel IN
		(SELECT channel FROM holdfast_stream WHERE log = ? LIMIT ?) RETURNING log`,
	/**
	 * Takes a log, again, its session, a time and how many. Returns a row for each that it removed: request streams that
	 * nobody holds and that were not used since.
	 */
	removeUnused: `DELETE FROM holdfast_stream WHERE log = ? AND channel IN (SELECT channel FROM holdfast_stream
		WHERE log = ? AND channel <> ? AND process IS NULL AND used_at < ? LIMIT ?) RETURNING log`,
	/** Takes a session and a channel. Returns the process that holds it. */
	holder: `SELECT process FROM holdfast_stream JOIN holdfast_log ON key = log
		WHERE session = ? AND channel = ? AND process IS NOT NULL AND over IS NULL`,
	/** Takes a process and how many. Returns some of the streams that it holds. */
	held: `SELECT session, channel FROM holdfast_stream JOIN holdfast_log ON key = log
		WHERE process = ? LIMIT ?`,
});

/** Events of a log. */
export const historyStatements = Object.freeze({
	/** Takes a log, a channel and an id. Returns the events after it, oldest first. */
	after: 'SELECT id, data FROM holdfast_event WHERE log = ? AND id > ? AND channel = ? ORDER BY id',
	/** Takes a log, two ids and a channel. Returns whether there is an event after the first, up to the second. */
	between: 'SELECT 1 FROM holdfast_event WHERE log = ? AND id > ? AND id <= ? AND channel = ? LIMIT 1',
	/** Takes a log, an id and how many. Returns the oldest events after it. */
	oldest: `SELECT id, target, at, channel, size FROM holdfast_event WHERE log = ? AND id > ? ORDER BY id LIMIT ?`,
	/** Takes a log, an id, a time and how many. Returns events up to it that were posted before. */
	trimmed: 'SELECT id FROM holdfast_event WHERE log = ? AND id <= ? AND at < ? ORDER BY id LIMIT ?',
	/** Takes a log, an id and a channel. Returns the events of the stream after it. */
	of: 'SELECT id, size FROM holdfast_event WHERE log = ? AND id > ? AND channel = ?',
	/** Takes an id. */
	remove: 'DELETE FROM holdfast_event WHERE id = ?',
	/** Takes a log and how many. Returns a row for each that it removed. */
	removeSome: `DELETE FROM holdfast_event WHERE id IN (SELECT id FROM holdfast_event WHERE log = ? LIMIT ?)
		RETURNING log`,
});
