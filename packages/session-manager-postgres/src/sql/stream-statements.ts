import { Statement } from './statement.js';

/** The statements of the stream manager. Each is one transaction; parameters are those of the function. */
export function streamStatements(schema: string) {
	return {
		append: new Statement(
			'append',
			`select ${schema}.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
			$19, $20) as result`,
		),
		appendEvent: new Statement(
			'append-event',
			`select ${schema}.append_event($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as result`,
		),
		takeOver: new Statement(
			'take-over',
			`select * from ${schema}.take_over($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		),
		readBroadcasts: new Statement('read-broadcasts', `select * from ${schema}.read_broadcasts($1, $2, $3, $4, $5)`),
		/** Session, name, token, epoch, offset, epoch and offset of the broadcasts. */
		detach: new Statement(
			'detach',
			`update ${schema}.stream s set token = null, node = null, life = null, writer = null, since = null,
				left_at = ${schema}.now_us(),
				undelivered_epoch = case when s.undelivered < $5::bigint then s.undelivered_epoch else $4 end,
				undelivered = least(s.undelivered, $5::bigint),
				broadcasts_epoch = case when s.name = '' then $6::text end,
				broadcasts = case when s.name = '' then $7::bigint end
			where s.session = $1 and s.name = $2 and s.token = $3`,
		),
		forget: new Statement('forget', `select ${schema}.forget($1, $2)`),
		expireIn: new Statement('expire-in', `select ${schema}.expire_in($1, $2, $3)`),
		/** Session, name. Returns whether a node that lives holds the stream. */
		isHeld: new Statement(
			'is-held',
			`select true as held from ${schema}.stream s
			where s.session = $1 and s.name = $2 and s.token is not null and s.over is null
				and not ${schema}.is_dead(s.life)`,
		),
		/** The key of an address. Returns whether somebody listens there. */
		// One asks after the other: two at once would take each other for a listener.
		isHeard: new Statement(
			'is-heard',
			'select pg_advisory_xact_lock($1::bigint # 1), not pg_try_advisory_xact_lock($1::bigint) as held',
		),
		/** Channels and payloads. */
		notify: new Statement(
			'notify',
			`select count(*) from (
				select pg_notify(u.channel, u.payload)
				from unnest($1::text[], $2::text[]) with ordinality u(channel, payload, ord) order by u.ord
			) n`,
		),
		sweep: new Statement('sweep', `select ${schema}.sweep_streams($1, $2) as result`),
		truncate: new Statement('truncate', `select ${schema}.truncate_ring($1) as result`),
	};
}
