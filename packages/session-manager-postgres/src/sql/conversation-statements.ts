import { Statement } from './statement.js';

/** What a statement about conversations returns of each; `sound`: whether the head is as it was written. */
const HEAD = 'c.key, c.id, c.head, c.used_at, c.version, c.revision, c.archived';

/** The statements of the conversation store. Each is one transaction; its parameters stand above it. */
export function conversationStatements(schema: string) {
	const head = `${HEAD}, ${schema}.is_sound(c) as sound`;
	const call = (name: string, parameters: number) => {
		const list = Array.from({ length: parameters }, (_, index) => `$${index + 1}`).join(', ');
		return new Statement(`conversation-${name}`, `select ${schema}.${name}(${list}) as result`);
	};
	// A text that is stored out of line is not read for its length.
	const ranged = (name: string, columns: string) =>
		new Statement(
			`conversation-${name}`,
			`select * from (
				select i.*, sum(bytes) over (order by number desc) as together from (
					select ${columns}, octet_length(i.body) + octet_length(i.said) as bytes
					from ${schema}.${name} i join ${schema}.conversation c on c.key = i.conversation
					where c.id_hash = $1 and i.number < $2 and i.number > $3 order by i.number desc limit $4
				) i
			) i where together <= $5 or together = bytes order by number desc`,
		);
	const entries = `select x.name, x.value, x.version, x.bytes, x.added_at, x.updated_at, x.accessed_at, x.author,
			x.archived
		from ${schema}.context x join ${schema}.conversation c on c.key = x.conversation where c.id_hash = $1`;
	const listed = `c.key > $1 and c.state = any ($2::text[]) and ($3::float8 is null or c.used_at < $3)
		order by c.key limit $4`;
	return {
		/** Parameters as of the functions, from here to the empty line. Each returns what became of it. */
		create: call('add_conversation', 11),
		write: call('write_conversation', 9),
		writeUnused: call('write_unused_conversation', 9),
		touch: call('touch_conversation', 2),
		delete: call('delete_conversation', 1),
		deleteUnused: call('delete_unused_conversation', 2),
		append: call('append_messages', 7),
		appendAs: call('append_messages_as', 11),
		appendBy: call('append_messages_by', 11),
		setContext: call('set_context', 10),
		setContextBy: call('set_context_by', 11),
		touchContext: call('touch_context', 3),
		addDiscovery: call('add_discovery', 5),
		addDiscoveryBy: call('add_discovery_by', 6),
		/** The key of a deleted conversation, or null. Returns whether there may be more. */
		remove: call('remove_conversation', 1),

		/** Parameters as of the function. Returns how much it erased, and where it stopped; null at the end. */
		eraseAuthor: new Statement(
			'conversation-erase_author',
			`select erased, stop, stop_name from ${schema}.erase_author_whole($1, $2, $3, $4, $5, $6, $7, $8)`,
		),
		/** Hash of the id. Returns the head, and how much there is. */
		read: new Statement('conversation-read', `select ${head} from ${schema}.conversation c where c.id_hash = $1`),
		/** Hash of the id, before, after, limit, bytes. Returns the newest first. */
		messages: ranged('message', 'i.number, i.author, i.body, i.said, i.number <= c.archived as archived'),
		/** The same. */
		discoveries: ranged('discovery', 'i.number, i.author, i.body, i.said'),
		/** Hash of the id. Returns all values. */
		context: new Statement('conversation-context', entries),
		/** Hash of the id. Returns the values that are not archived. */
		liveContext: new Statement('conversation-context-live', `${entries} and not x.archived`),
		/** Hash of the id, hashes of names. Returns the values that are there. */
		contextOf: new Statement('conversation-context-of', `${entries} and x.name_hash = any ($2::bytea[])`),
		/** Hash of the id. Returns how much there is. */
		counts: new Statement(
			'conversation-counts',
			`select c.messages, c.archived, c.discoveries, c.bytes, count(*) filter (where not x.archived) as live,
				coalesce(sum(x.bytes) filter (where not x.archived), 0) as live_bytes,
				count(*) filter (where x.archived) as archived_values
			from ${schema}.conversation c left join ${schema}.context x on x.conversation = c.key
			where c.id_hash = $1 group by c.key`,
		),
		/** After key, states, used before or null, limit. Returns heads by key. */
		list: new Statement('conversation-list', `select ${head} from ${schema}.conversation c where ${listed}`),
		/** The same, and the hash of a principal: only those in which they take part, or did. */
		listOf: new Statement(
			'conversation-list-of',
			`select ${head} from ${schema}.conversation c join ${schema}.member m on m.conversation = c.key
			where m.principal = $5 and ${listed}`,
		),
	};
}
