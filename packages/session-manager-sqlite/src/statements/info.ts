/** Sessions. */
export const sessionStatements = Object.freeze({
	/** Takes an id. Returns the session. */
	read: `SELECT key, owner, record, last_used_at, used_at, over_at, ends, gone, ended_at, reason, counted,
		state_bytes, versions FROM holdfast_session WHERE id = ?`,
	/** Takes an id. Returns what says whether the session lives, and is kept. */
	life: 'SELECT key, ends, gone, state_bytes, versions FROM holdfast_session WHERE id = ?',
	/**
	 * Takes id, principal, kind, owner, whether that is verified, record, the date and the time of its use, when it is
	 * over, ends, is gone and is swept, and whether it counts as a session.
	 */
	add: `INSERT INTO holdfast_session (id, principal, kind, owner, verified, record, last_used_at, used_at, over_at,
		ends, gone, reap_at, counted, state_bytes, versions) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)`,
	/** Takes record, when it is over, ends and is gone, and when it is swept at the latest, then the key. */
	write: `UPDATE holdfast_session SET record = ?, over_at = ?, ends = ?, gone = ?, reap_at = min(reap_at, ?)
		WHERE key = ?`,
	/** Takes the date and the time of its use, when it ends and is gone, then the key. */
	touch: 'UPDATE holdfast_session SET last_used_at = ?, used_at = ?, ends = ?, gone = ? WHERE key = ?',
	/** Takes the date, the reason, when it is gone, and when it is swept at the latest, then the key. It ended before. */
	end: `UPDATE holdfast_session SET ended_at = ?, reason = ?, ends = -9e15, gone = ?,
		reap_at = min(reap_at, ?), counted = 0 WHERE key = ?`,
	/** Takes a key. It does not count any more. */
	discount: 'UPDATE holdfast_session SET counted = 0 WHERE key = ?',
	/** Takes a number to add to how many sessions count. */
	count: 'UPDATE holdfast_world SET sessions = sessions + ?',
	/** Takes an owner. One session more counts for it. */
	own: `INSERT INTO holdfast_owner (owner, sessions) VALUES (?, 1)
		ON CONFLICT (owner) DO UPDATE SET sessions = sessions + 1`,
	/** Takes an owner. One session less counts for it. */
	disown: 'UPDATE holdfast_owner SET sessions = sessions - 1 WHERE owner = ?',
	/** Takes an owner, and forgets it if none counts for it. */
	forgetOwner: 'DELETE FROM holdfast_owner WHERE owner = ? AND sessions <= 0',
	/** Returns who has the most sessions; of two that have as many, the one that sorts last. */
	most: 'SELECT owner, sessions FROM holdfast_owner ORDER BY sessions DESC, owner DESC LIMIT 1',
	/** Returns the session that gives way first. */
	unused: 'SELECT id FROM holdfast_session WHERE counted = 1 ORDER BY verified, used_at LIMIT 1',
	/** Takes an owner. Returns its session that was unused longest. */
	unusedOf: 'SELECT id FROM holdfast_session WHERE owner = ? AND counted = 1 ORDER BY used_at LIMIT 1',
	/** Takes a principal and the time. Returns its living session that was unused longest. */
	unusedOfPrincipal: `SELECT id FROM holdfast_session WHERE principal = ? AND ends > ? AND counted = 1
		ORDER BY used_at LIMIT 1`,
	/** Returns how many sessions count. */
	counted: 'SELECT sessions FROM holdfast_world',
	/** Returns how many records there are that are no sessions. */
	records: 'SELECT records FROM holdfast_world',
	/** Takes a key. */
	remove: 'DELETE FROM holdfast_session WHERE key = ?',
	/** Takes a key. Nobody finds the session any more, and it is swept first: a number is no id. */
	abandon: 'UPDATE holdfast_session SET id = key, ends = -9e15, gone = -9e15, reap_at = -9e15 WHERE key = ?',
	/** Takes a principal, a kind or NULL, and the time. Returns how many of its sessions, or such records, live. */
	living: 'SELECT count(*) AS living FROM holdfast_session WHERE principal = ? AND kind IS ? AND ends > ?',
	/** Takes a principal, a kind or NULL, and the time. Returns the ids of its kept sessions, or such records. */
	of: 'SELECT id FROM holdfast_session WHERE principal = ? AND kind IS ? AND gone > ?',
	/** Takes a key, the time and how many. Returns the living sessions after it. */
	after: `SELECT key, record, last_used_at FROM holdfast_session WHERE key > ? AND ends > ? AND kind IS NULL
		ORDER BY key LIMIT ?`,
	/** Takes the time and how many. Returns the sessions that are to be swept. */
	due: `SELECT key, owner, ends, gone, counted, state_bytes FROM holdfast_session
		WHERE reap_at <= ? ORDER BY reap_at LIMIT ?`,
	/** Takes when to sweep next, then the key. */
	postpone: 'UPDATE holdfast_session SET reap_at = ? WHERE key = ?',
	/** Takes the state's size and how often it was written, then the key. */
	writeState: 'UPDATE holdfast_session SET state_bytes = ?, versions = ? WHERE key = ?',
});

/** Subscriptions. */
export const subscriptionStatements = Object.freeze({
	/** Takes a session and a URI. */
	add: 'INSERT OR IGNORE INTO holdfast_subscription (session, uri) VALUES (?, ?)',
	/** Takes a session and a URI. Returns the session, if there was one. */
	remove: 'DELETE FROM holdfast_subscription WHERE session = ? AND uri = ? RETURNING session',
	/** Takes a session, again, and how many. Returns a row for each that it removed. */
	removeSome: `DELETE FROM holdfast_subscription WHERE session = ? AND uri IN
		(SELECT uri FROM holdfast_subscription WHERE session = ? LIMIT ?) RETURNING session`,
	/**
	 * Takes a URI, a session and how many. Returns the subscribed sessions after it, with their ids and when they end;
	 * without where one is gone.
	 */
	subscribers: `SELECT session, id, ends FROM (
			SELECT session FROM holdfast_subscription WHERE uri = ? AND session > ? ORDER BY session LIMIT ?
		) LEFT JOIN holdfast_session ON key = session ORDER BY session`,
	/** Takes a session. Returns its URIs. */
	of: 'SELECT uri FROM holdfast_subscription WHERE session = ?',
});

/** State. */
export const stateStatements = Object.freeze({
	/** Takes a session and a key. Returns the value. */
	read: 'SELECT version, size, value FROM holdfast_state WHERE session = ? AND key = ?',
	/** Takes a session and a key. Returns what is known of the value. */
	version: 'SELECT version, size FROM holdfast_state WHERE session = ? AND key = ?',
	/** Takes a session. Returns all values. */
	all: 'SELECT key, version, value FROM holdfast_state WHERE session = ?',
	/** Takes session, key, version, size and value. */
	write: `INSERT INTO holdfast_state (session, key, version, size, value) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (session, key) DO UPDATE SET version = excluded.version, size = excluded.size, value = excluded.value`,
	/** Takes a session and a key. */
	remove: 'DELETE FROM holdfast_state WHERE session = ? AND key = ?',
	/** Takes a session and how many. Returns a row for each that it removed. */
	removeSome: `DELETE FROM holdfast_state WHERE rowid IN
		(SELECT rowid FROM holdfast_state WHERE session = ? LIMIT ?) RETURNING session`,
});

/** Leases and nodes. */
export const registryStatements = Object.freeze({
	/** Takes name, holder, until when, and the time. Returns the holder if it has the lease now. */
	acquire: `INSERT INTO holdfast_lease (name, holder, until) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE holdfast_lease.holder = excluded.holder OR holdfast_lease.until <= ? RETURNING holder`,
	/** Takes a name and a holder. */
	release: 'DELETE FROM holdfast_lease WHERE name = ? AND holder = ?',
	/** Takes id, record and until when. */
	announce: `INSERT INTO holdfast_node (id, record, until) VALUES (?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET record = excluded.record, until = excluded.until`,
	/** Takes the time. Returns what the nodes announced. */
	nodes: 'SELECT record FROM holdfast_node WHERE until > ?',
	/** Takes the time. */
	removeNodes: 'DELETE FROM holdfast_node WHERE until <= ?',
	/** Takes the time and how many. Returns a row for each that it removed. */
	removeLeases: `DELETE FROM holdfast_lease WHERE name IN
		(SELECT name FROM holdfast_lease WHERE until <= ? LIMIT ?) RETURNING 1`,
});
