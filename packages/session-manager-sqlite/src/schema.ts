import { type Migration, missingMigrations } from '@holdfast/session-manager/custom';
import { addAllWords } from './conversations/add-all-words.js';
import { numberOf, type SqliteConnection } from './file/connection.js';

/** A migration with its statements. */
export interface SqliteMigration extends Migration {
	readonly sql: string;
	/** What is done in JavaScript once the statements are. */
	readonly fill?: (db: SqliteConnection) => void;
}

/**
 * The layout of the file, step by step. Columns without a type hold text as `bound` writes it. Times are milliseconds
 * of the store's clock (`StoreClock`), offsets and ids of events are one sequence for the whole file, and a process is
 * a number that is given once. What changes with every use is in no index but that of who gives way first.
 */
export const migrations: readonly SqliteMigration[] = Object.freeze([
	{
		id: 1,
		breaking: true,
		sql: `
-- One row. epoch: changes when events may be lost; epoch_since: the newest event then. boot: of which start of the
-- host the clock is; shift: what is added to the host's time. last: the newest id of an event; purged: the newest one
-- that was removed although a process may not have read it. seen_at and wall: the store's time and the date when it
-- was last written. sessions: how many sessions count towards the limit.
CREATE TABLE holdfast_world (
	id INTEGER PRIMARY KEY CHECK (id = 1), epoch TEXT NOT NULL, epoch_since INTEGER NOT NULL, boot TEXT NOT NULL,
	shift REAL NOT NULL, last INTEGER NOT NULL, purged INTEGER NOT NULL, seen_at REAL NOT NULL, wall REAL NOT NULL,
	sessions INTEGER NOT NULL
);

-- The processes that read events. name: of its files.
CREATE TABLE holdfast_process (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);

-- Which processes listen on an address.
CREATE TABLE holdfast_listener (
	address NOT NULL, process INTEGER NOT NULL, PRIMARY KEY (address, process)
) WITHOUT ROWID;
CREATE INDEX holdfast_listener_process ON holdfast_listener (process);

-- The history of a session, or of the broadcasts (session ' '). born: the newest id when it was made. trimmed: its
-- newest event that is no history any more. events, bytes: how much is kept. seen: whether anyone ever held the session
-- stream. undelivered: where the broadcasts begin that nobody got. used_at: when it was last written or taken. ends_at:
-- when the session ends. reap_at: when the sweeper looks next.
CREATE TABLE holdfast_log (
	key INTEGER PRIMARY KEY AUTOINCREMENT, session NOT NULL UNIQUE, born INTEGER NOT NULL, trimmed INTEGER NOT NULL,
	events INTEGER NOT NULL, bytes INTEGER NOT NULL, seen INTEGER NOT NULL, undelivered INTEGER, used_at REAL NOT NULL,
	ends_at REAL, reap_at REAL NOT NULL
);
CREATE INDEX holdfast_log_reap ON holdfast_log (reap_at);

-- A stream of a session, or the broadcasts. dropped: its newest dropped event. over: its last event. undelivered:
-- where the events begin that nobody got; uncertain: whether nobody knows if its last holder got what it was handed.
-- token, process, since: who holds it, and the newest id when it was taken. used_at: when it was taken or left, or an
-- event waited: the first one, and the next one once that is older than events may be.
CREATE TABLE holdfast_stream (
	log INTEGER NOT NULL, channel NOT NULL, dropped INTEGER NOT NULL, over INTEGER, undelivered INTEGER,
	uncertain INTEGER NOT NULL, token TEXT, process INTEGER, since INTEGER, used_at REAL NOT NULL,
	PRIMARY KEY (log, channel)
) WITHOUT ROWID;
CREATE INDEX holdfast_stream_process ON holdfast_stream (process) WHERE process IS NOT NULL;

-- The bus and the history in one. id: its offset. target: the process that must read it; 0: every one; NULL: none.
-- kind: 0 event, 1 taken over (data is the token), 2 over. log: whose history it is; NULL: it is only kept until its
-- target has read it. Rows are never updated: they may be long.
CREATE TABLE holdfast_event (
	id INTEGER PRIMARY KEY, target INTEGER, kind INTEGER NOT NULL, log INTEGER, at REAL NOT NULL, channel NOT NULL,
	size INTEGER NOT NULL, data NOT NULL
);
CREATE INDEX holdfast_event_log ON holdfast_event (log);

-- A session. used_at: when it was used; over_at: when it ends even so; ends: when it ends if it is not used again;
-- gone: when it is removed. owner: whom it counts for; verified: whether that is a principal. counted: whether it
-- counts as one that lives. reap_at: when the sweeper looks next.
CREATE TABLE holdfast_session (
	key INTEGER PRIMARY KEY AUTOINCREMENT, id NOT NULL UNIQUE, principal, owner NOT NULL,
	verified INTEGER NOT NULL, record NOT NULL, last_used_at REAL NOT NULL,
	used_at REAL NOT NULL, over_at REAL NOT NULL, ends REAL NOT NULL, gone REAL NOT NULL, ended_at REAL, reason,
	counted INTEGER NOT NULL, state_bytes INTEGER NOT NULL, versions INTEGER NOT NULL, reap_at REAL NOT NULL
);
CREATE INDEX holdfast_session_principal ON holdfast_session (principal) WHERE principal IS NOT NULL;
CREATE INDEX holdfast_session_reap ON holdfast_session (reap_at);
-- Who gives way first in a full store.
CREATE INDEX holdfast_session_use ON holdfast_session (verified, used_at) WHERE counted = 1;
CREATE INDEX holdfast_session_owner ON holdfast_session (owner, used_at) WHERE counted = 1;

-- How many sessions count for an owner.
CREATE TABLE holdfast_owner (owner NOT NULL PRIMARY KEY, sessions INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX holdfast_owner_sessions ON holdfast_owner (sessions);

CREATE TABLE holdfast_subscription (session INTEGER NOT NULL, uri NOT NULL, PRIMARY KEY (session, uri)) WITHOUT ROWID;
CREATE INDEX holdfast_subscription_uri ON holdfast_subscription (uri);

CREATE TABLE holdfast_state (
	session INTEGER NOT NULL, key NOT NULL, version INTEGER NOT NULL, size INTEGER NOT NULL, value NOT NULL
);
CREATE UNIQUE INDEX holdfast_state_key ON holdfast_state (session, key);

CREATE TABLE holdfast_lease (name NOT NULL PRIMARY KEY, holder NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE holdfast_node (id NOT NULL PRIMARY KEY, record NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
`,
	},
	{
		id: 2,
		breaking: false,
		sql: `
-- A conversation. head: JSON without when it was last used. version: of the head; revision: of everything. messages,
-- discoveries: the number of the last; archived: of the last archived message. changes: the version of the last change
-- of the context. bytes: of what is in it.
CREATE TABLE holdfast_conversation (
	key INTEGER PRIMARY KEY AUTOINCREMENT, id NOT NULL UNIQUE, owner NOT NULL, state TEXT NOT NULL, head NOT NULL,
	used_at REAL NOT NULL, version INTEGER NOT NULL, revision INTEGER NOT NULL, messages INTEGER NOT NULL,
	archived INTEGER NOT NULL, discoveries INTEGER NOT NULL, changes INTEGER NOT NULL, bytes INTEGER NOT NULL
);
CREATE INDEX holdfast_conversation_owner ON holdfast_conversation (owner) WHERE state = 'active';
CREATE INDEX holdfast_conversation_living ON holdfast_conversation (key) WHERE state <> 'terminated';
-- Those that were deleted, of which something may be left.
CREATE INDEX holdfast_conversation_abandoned ON holdfast_conversation (key) WHERE typeof(id) = 'integer';

-- Who takes part. former: whether they only did.
CREATE TABLE holdfast_member (
	principal NOT NULL, conversation INTEGER NOT NULL, former INTEGER NOT NULL, PRIMARY KEY (principal, conversation)
) WITHOUT ROWID;
CREATE INDEX holdfast_member_conversation ON holdfast_member (conversation);

-- What was said, and what was found. key: its place, by its conversation and number (placeOf), so that what is in a
-- conversation is in one part of the table.
CREATE TABLE holdfast_message (key INTEGER PRIMARY KEY, by, body NOT NULL);
CREATE TABLE holdfast_discovery (key INTEGER PRIMARY KEY, by, body NOT NULL);

-- The values of a context. key: their place, by version.
CREATE TABLE holdfast_context (
	key INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, name NOT NULL, value NOT NULL, bytes INTEGER NOT NULL,
	added_at REAL NOT NULL, updated_at REAL NOT NULL, accessed_at REAL NOT NULL, by, archived INTEGER NOT NULL,
	UNIQUE (conversation, name)
);

-- The words of messages (rowid: four times the key), values (one more) and discoveries (two more), so that those of a
-- conversation are in one part of what an index says of a word. It keeps no text.
CREATE VIRTUAL TABLE holdfast_words USING fts5 (
	words, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 0"
);
`,
	},
	{
		id: 3,
		breaking: false,
		sql: `
-- Records that are no sessions. kind: what they are. They are never counted as sessions; records: how many there are,
-- from when they are created until they are removed, whichever version does it.
ALTER TABLE holdfast_session ADD COLUMN kind;
ALTER TABLE holdfast_world ADD COLUMN records INTEGER NOT NULL DEFAULT 0;
CREATE TRIGGER holdfast_record_created AFTER INSERT ON holdfast_session WHEN new.kind IS NOT NULL
BEGIN UPDATE holdfast_world SET records = records + 1; END;
CREATE TRIGGER holdfast_record_removed AFTER DELETE ON holdfast_session WHEN old.kind IS NOT NULL
BEGIN UPDATE holdfast_world SET records = records - 1; END;

-- Tasks were kept as sessions: "task" and a space began their ids, "task" and a line break their principals.
UPDATE holdfast_session SET kind = 'task', counted = 0, principal = substr(principal, 6), record = CASE
	WHEN principal IS NULL THEN json_set(record, '$.kind', 'task')
	ELSE json_set(record, '$.kind', 'task', '$.principal', substr(principal, 6)) END
WHERE substr(id, 1, 5) = 'task ' AND (principal IS NULL OR substr(principal, 1, 5) = 'task' || char(10));
UPDATE holdfast_world SET records = (SELECT count(*) FROM holdfast_session WHERE kind IS NOT NULL),
	sessions = (SELECT count(*) FROM holdfast_session WHERE counted = 1);
DELETE FROM holdfast_owner;
INSERT INTO holdfast_owner (owner, sessions)
	SELECT owner, count(*) FROM holdfast_session WHERE counted = 1 GROUP BY owner;
`,
	},
	{
		id: 4,
		// An older version would add words without their shelves, which no newer one finds.
		breaking: true,
		sql: `
-- Parts of the index of words, each filled by the conversations of one owner. words: how full it is.
CREATE TABLE holdfast_shelf (key INTEGER PRIMARY KEY AUTOINCREMENT, words INTEGER NOT NULL);

-- On which shelves words of a conversation are.
CREATE TABLE holdfast_shelved (
	conversation INTEGER NOT NULL, shelf INTEGER NOT NULL, PRIMARY KEY (conversation, shelf)
) WITHOUT ROWID;
CREATE INDEX holdfast_shelved_shelf ON holdfast_shelved (shelf);

-- shelf: which one the conversation fills; 0: none yet.
ALTER TABLE holdfast_conversation ADD COLUMN shelf INTEGER NOT NULL DEFAULT 0;
CREATE INDEX holdfast_conversation_shelf ON holdfast_conversation (owner, shelf);

-- As before, but each word begins with its shelf and a colon ("12:word"), so that a look at one reads nothing of the
-- others. Words are normalized before: nothing but blanks separates them.
DROP TABLE holdfast_words;
CREATE VIRTUAL TABLE holdfast_words USING fts5 (
	words, content = '', contentless_delete = 1, tokenize = "ascii tokenchars ':'"
);
`,
		fill: addAllWords,
	},
	{
		id: 5,
		breaking: false,
		sql: `
-- began: where the slice of the holder began; broadcasts: where its broadcasts did. While a stream
-- is held, uncertain says whether one of them had a gap.
ALTER TABLE holdfast_stream ADD COLUMN began INTEGER;
ALTER TABLE holdfast_stream ADD COLUMN broadcasts INTEGER;
`,
	},
	{
		id: 6,
		breaking: false,
		sql: `
-- There is a lease for each state of a request that was used.
CREATE INDEX holdfast_lease_until ON holdfast_lease (until);
`,
	},
]);

/** Returns the migrations that were applied to the file, oldest first. */
export function appliedMigrations(db: SqliteConnection): Migration[] {
	if (db.get(`SELECT 1 FROM sqlite_schema WHERE name = 'holdfast_migration'`) === undefined) return [];
	return db
		.all('SELECT id, breaking FROM holdfast_migration ORDER BY id')
		.map(({ id, breaking }) => ({ id: Number(id), breaking: numberOf(breaking) === 1 }));
}

/**
 * Applies the migrations that the file lacks. Must run in a transaction. Throws `unavailable` for a file that only
 * newer versions can work with.
 */
export function migrate(db: SqliteConnection, known: readonly SqliteMigration[], at: number): void {
	db.exec('CREATE TABLE IF NOT EXISTS holdfast_migration (id INTEGER PRIMARY KEY, breaking INTEGER NOT NULL, at REAL)');
	for (const { id, breaking, sql, fill } of missingMigrations(known, appliedMigrations(db))) {
		db.exec(sql);
		fill?.(db);
		db.run('INSERT INTO holdfast_migration VALUES (?, ?, ?)', id, breaking ? 1 : 0, at);
	}
}
