import { Statement } from './statement.js';

/** What is searched, in the order in which it is returned: the table, and what it has in place of what it lacks. */
const kinds = Object.freeze({
	message: `'message' as kind, i.number, null as name, i.body, i.said, null::float8 as at,
		i.number <= c.archived as archived`,
	context: `'context' as kind, i.version as number, i.name, null as body, i.value as said, i.updated_at as at,
		i.archived`,
	discovery: `'discovery' as kind, i.number, null as name, i.body, i.said, null::float8 as at, false as archived`,
});

type Kind = keyof typeof kinds;

/** What names an item within its conversation. */
const place = Object.freeze({ message: 'number', context: 'name_hash', discovery: 'number' });

/** In whose conversations to search: in one, or in all of somebody; in one of somebody with both. */
export interface SearchScope {
	readonly isOne: boolean;
	readonly isOfPerson: boolean;
}

/**
 * Returns the statement that finds what has the words, of each kind the newest; it has no name, because how common the
 * words are decides how to look for them. Parameters: hash of the id or null, hash of a principal or null, words, words
 * with the word of the owner, how many of each kind, and how many bytes.
 */
export function searchStatement(
	schema: string,
	wanted: readonly Kind[],
	{ isOne, isOfPerson }: SearchScope,
): Statement {
	const parts = wanted.flatMap((kind) => {
		// Within one conversation both orders are the same, and this one has an index there.
		const order = isOne && kind !== 'context' ? 'number' : 'key';
		const of = (where: string) => part(schema, kind, where, order);
		if (!isOne) return [of('i.owner = $2 and i.words @@ $4'), of(`${shared} and i.words @@ $3`)];
		return [of(`${one(schema, isOfPerson)} and i.words @@ $3`)];
	});
	// Every parameter has a type, also where a scope has no use for it.
	const types = 'given as (select $1::bytea, $2::bytea, $3::tsquery, $4::tsquery)';
	const common = isOne ? types : `${types}, shared as materialized (${sharedKeys(schema)})`;
	return new Statement(undefined, `with ${common} ${parts.join(' union all ')}`);
}

/** The newest of one kind, as many as there is room for. What is sorted is only where each is, and how large. */
function part(schema: string, kind: Kind, where: string, order: 'number' | 'key'): string {
	const size = `octet_length(${kind === 'context' ? 'i.value' : 'i.said'})`;
	return `select c.id, ${kinds[kind]} from (
		select n.*, sum(n.size) over (order by n.${order} desc) - n.size as before from (
			select i.conversation, i.${place[kind]}, i.key, ${size} as size
			from ${schema}.${kind} i where ${where} order by i.${order} desc limit $5
		) n
	) n join ${schema}.${kind} i using (conversation, ${place[kind]})
	join ${schema}.conversation c on c.key = i.conversation where n.before < $6`;
}

/** Conversations of others in which somebody takes part. */
const shared = 'i.owner <> $2 and i.conversation = any (array(select conversation from shared))';

function sharedKeys(schema: string): string {
	return `select m.conversation from ${schema}.member m join ${schema}.conversation c on c.key = m.conversation
		where m.principal = $2 and not m.former and c.owner <> $2`;
}

function one(schema: string, isOfPerson: boolean): string {
	const member = `and exists (select from ${schema}.member m
		where m.principal = $2 and m.conversation = c.key and not m.former)`;
	return `i.conversation = (select c.key from ${schema}.conversation c where c.id_hash = $1 ${isOfPerson ? member : ''})`;
}
