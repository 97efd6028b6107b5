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
 * with the word of the owner, how many of each kind, how many bytes, and how many of somebody's newest are looked at
 * before the index of words is asked.
 */
export function searchStatement(
	schema: string,
	wanted: readonly Kind[],
	{ isOne, isOfPerson }: SearchScope,
): Statement {
	const parts = wanted.flatMap((kind) => {
		// Within one conversation both orders are the same, and this one has an index there.
		if (isOne) {
			const order = kind === 'context' ? 'key' : 'number';
			return [part(schema, kind, matches(schema, kind, `${one(schema, isOfPerson)} and i.words @@ $3`, order), order)];
		}
		return [
			part(schema, kind, `select * from newest_${kind} union all (${older(schema, kind)})`, 'key'),
			part(schema, kind, matches(schema, kind, `${shared} and i.words @@ $3`, 'key'), 'key'),
		];
	});
	// Every parameter has a type, also where a scope has no use for it.
	const types = 'given as (select $1::bytea, $2::bytea, $3::tsquery, $4::tsquery, $7::bigint)';
	const ofPerson = [`shared as materialized (${sharedKeys(schema)})`, ...wanted.map((kind) => newest(schema, kind))];
	const common = isOne ? [types] : [types, ...ofPerson];
	return new Statement(undefined, `with ${common.join()} ${parts.join(' union all ')}`);
}

/** The newest of one kind, as many as there is room for. What is sorted is only where each is, and how large. */
function part(schema: string, kind: Kind, found: string, order: 'number' | 'key'): string {
	return `select c.id, ${kinds[kind]} from (
		select n.*, sum(n.size) over (order by n.${order} desc) - n.size as before from (
			select * from (${found}) f order by f.${order} desc limit $5
		) n
	) n join ${schema}.${kind} i using (conversation, ${place[kind]})
	join ${schema}.conversation c on c.key = i.conversation where n.before < $6`;
}

/** Where those are that match, and how large. */
function matches(schema: string, kind: Kind, where: string, order: 'number' | 'key'): string {
	return `select i.conversation, i.${place[kind]}, i.key, ${size(kind)} as size
		from ${schema}.${kind} i where ${where} order by i.${order} desc limit $5`;
}

/** A bound that the planner does not see: it would sort all texts of somebody who has fewer, with parallel workers. */
const unknown = '(select $7)';

/**
 * Somebody's newest, read one after the other until enough match. Common words are in so many texts that finding and
 * sorting all of them takes longer, and a beginning of a word is looked up among the texts of everybody.
 */
function newest(schema: string, kind: Kind): string {
	return `newest_${kind} as materialized (
		select l.conversation, l.${place[kind]}, l.key, l.size from (
			select i.conversation, i.${place[kind]}, i.key, ${size(kind)} as size, i.words
			from ${schema}.${kind} i where i.owner = $2 order by i.key desc limit ${unknown}
		) l where l.words @@ $3 and l.${notRemoved(schema)} order by l.key desc limit $5
	), oldest_${kind} as materialized (
		select i.key from ${schema}.${kind} i where i.owner = $2 order by i.key desc offset ${unknown} limit 1
	)`;
}

/** Those that match among what is older than the newest, where there is anything, and the newest are not enough. */
function older(schema: string, kind: Kind): string {
	const isNeeded = `exists (select from oldest_${kind}) and (select count(*) from newest_${kind}) < $5`;
	const isOlder = `i.key <= (select key from oldest_${kind})`;
	const where = `i.owner = $2 and i.words @@ $4 and ${isNeeded} and ${isOlder} and i.${notRemoved(schema)}`;
	return matches(schema, kind, where, 'key');
}

/** What is left of deleted conversations must not take the places of what is found. */
function notRemoved(schema: string): string {
	return `conversation <> all (array(select r.conversation from ${schema}.removal r))`;
}

function size(kind: Kind): string {
	return `octet_length(${kind === 'context' ? 'i.value' : 'i.said'})`;
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
