/** The row of the world, which each transaction reads first. */
export const worldStatements = Object.freeze({
	/** Returns the row. */
	read: 'SELECT epoch, epoch_since, shift, last, purged FROM holdfast_world',
	/** Takes the newest id, the newest one that was purged, the store's time and the date. */
	advance: 'UPDATE holdfast_world SET last = ?, purged = ?, seen_at = ?, wall = ?',
	/** Returns what tells whether the host was started since. */
	boot: 'SELECT boot, shift, seen_at, wall FROM holdfast_world',
	/** Takes the first epoch, boot, shift and date. */
	create: `INSERT INTO holdfast_world (id, epoch, epoch_since, boot, shift, last, purged, seen_at, wall, sessions)
		VALUES (1, ?, 0, ?, ?, 0, 0, 0, ?, 0)`,
	/** Takes the epoch, the boot and the shift from now on. */
	begin: 'UPDATE holdfast_world SET epoch = ?, epoch_since = last, boot = ?, shift = ?',
});

/** Events as messages between processes. */
export const eventStatements = Object.freeze({
	/** Takes all columns. */
	insert: 'INSERT INTO holdfast_event (id, target, kind, log, at, channel, size, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
	/** Takes the ids between which it reads, a process, and how many at most. Returns what is for it. */
	between: `SELECT id, kind, channel, data FROM holdfast_event
		WHERE id > ? AND id <= ? AND target IN (0, ?) ORDER BY id LIMIT ?`,
	/** Takes a time and how many. Returns the oldest that are no history and were posted before it. */
	old: 'SELECT id FROM holdfast_event WHERE log IS NULL AND at < ? ORDER BY id LIMIT ?',
	/** Takes an id. */
	remove: 'DELETE FROM holdfast_event WHERE id = ?',
});

/** Processes and where they listen. */
export const processStatements = Object.freeze({
	/** Takes the name of its files. Returns its number. */
	add: 'INSERT INTO holdfast_process (name) VALUES (?) RETURNING id',
	/** Takes a number. Returns its name. */
	name: 'SELECT name FROM holdfast_process WHERE id = ?',
	/** Returns all. */
	all: 'SELECT id, name FROM holdfast_process',
	/** Takes a number. */
	remove: 'DELETE FROM holdfast_process WHERE id = ?',
	/** Takes an address and a process. */
	listen: 'INSERT OR IGNORE INTO holdfast_listener (address, process) VALUES (?, ?)',
	/** Takes an address and a process. */
	leave: 'DELETE FROM holdfast_listener WHERE address = ? AND process = ?',
	/** Takes a process. */
	leaveAll: 'DELETE FROM holdfast_listener WHERE process = ?',
	/** Takes an address. Returns the processes that listen there. */
	listeners: 'SELECT process FROM holdfast_listener WHERE address = ?',
});
