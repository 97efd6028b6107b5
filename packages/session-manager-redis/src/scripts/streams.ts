/**
 * The operations on streams that must be atomic, in Lua. An offset is the time in microseconds of the server that holds
 * the log, or one more than the last offset. Offsets therefore never decrease, not even after a failover that lost the
 * newest events. An epoch names the replication history and the lifetime of the log: it changes when the store may have
 * lost events.
 *
 * Fields of the `streams` hash: `e` random part of the epoch · `last` newest offset · `bytes` of the log · `seen`
 * whether anyone ever held the session stream · `taken` the order of the newest holder · `ub` where the undelivered
 * broadcasts begin, as epoch and offset · `t` when the session ends, in microseconds · `d` offset up to which the log
 * expired as a whole · `sweep` where the next sweep begins · `w:WRITER` number and offset of a writer's last event,
 * offset 0 where its stream was over. For each stream, where NAME is empty for the session stream: `n:NAME` newest
 * offset · `f:NAME` newest dropped offset · `h:NAME` the holder, as token, writer and the offset where its slice
 * began · `g:NAME` the epoch of that offset, `0` where the slice had a gap, and for the session stream where its
 * broadcasts began, as epoch and offset · `x:NAME` offset of the last event of a request stream that is over ·
 * `u:NAME` where the undelivered events begin, as epoch and offset.
 *
 * No step takes longer the more fields or events there are, beyond what the log may hold: what is left of streams that
 * are over or that nobody held for long is swept a few fields at a time.
 */

/** How many fields a hash has before those that nobody needs are swept, and about how many one step looks at. */
const SWEPT_FROM = 100;
const SWEPT_AT_ONCE = 20;
/** How many events one step drops. */
const TRIMMED_AT_ONCE = 1_000;
/** How many fields of a session that ends one step looks at. */
const FORGOTTEN_AT_ONCE = 1_000;
/**
 * What is known of streams, holders too, is kept as long as if events were kept for this long at least, in
 * milliseconds: whoever holds a stream must be able to say so again before it expires.
 */
export const MIN_KNOWN_MS = 2_000;

/**
 * now(): microseconds. whole(n): `n` as text. epoch(e): the epoch of a log, from its random part. place(text): the
 * parts of `u` and `ub`. ends(name, data, endMark): whether an event ends its request stream. drop(streams, name):
 * forgets a stream. floorOf(newest, floor, dropped): the newest dropped offset of a stream, from its `n` and `f` and
 * from `d`. trim(log, streams, at, length, bytes, …): applies the retention to a log; whether it dropped anything.
 * left(ends, at): how long the session lives, in milliseconds, from its `t`. known(maxAgeMs): how long `streams` is
 * kept from its last use, in milliseconds. sweep(streams, at, maxAgeMs): removes some fields of streams and writers of
 * which nothing was heard for so long; whether it looked at any.
 */
const common = `
local function now()
	local t = redis.call('TIME')
	return t[1] * 1000000 + t[2]
end
local function whole(n)
	return string.format('%.0f', n)
end
local replication
local function epoch(e)
	replication = replication or string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
	return string.sub(replication, 1, 10) .. e
end
local function place(text)
	return string.match(text or '', '^(%S+) (%S+)$')
end
local function ends(name, data, endMark)
	return name ~= '' and (string.sub(data, -#endMark) == endMark or data == string.sub(endMark, 2))
end
local function left(ends, at)
	return ends and math.max(1, math.floor((ends - at) / 1000)) or math.huge
end
local function known(maxAgeMs)
	return 6 * math.max(maxAgeMs, ${MIN_KNOWN_MS})
end
local function drop(streams, name)
	redis.call('HDEL', streams, 'n:' .. name, 'f:' .. name, 'h:' .. name, 'x:' .. name, 'u:' .. name, 'g:' .. name)
end
local function floorOf(newest, floor, dropped)
	newest = tonumber(newest or '0')
	return newest <= tonumber(dropped or '0') and newest or tonumber(floor or '0')
end
local function trim(log, streams, at, length, bytes, maxEvents, maxBytes, maxAgeMs, endMark)
	local before = bytes
	for _ = 1, math.min(length, ${TRIMMED_AT_ONCE}) do
		local first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
		local offset = string.match(first[1], '^%d+')
		local isYoung = tonumber(offset) >= at - maxAgeMs * 1000
		if length <= maxEvents and (bytes <= maxBytes or length == 1) and isYoung then break end
		local name, data = first[2][2], first[2][4]
		redis.call('XDEL', log, first[1])
		length, bytes = length - 1, bytes - #data
		if ends(name, data, endMark) then drop(streams, name) else redis.call('HSET', streams, 'f:' .. name, offset) end
	end
	if bytes == before then return false end
	redis.call('HSET', streams, 'bytes', whole(bytes))
	return true
end
local function sweep(streams, at, maxAgeMs)
	if redis.call('HLEN', streams) <= ${SWEPT_FROM} then return false end
	local old = at - maxAgeMs * 1000
	local page = redis.call('HSCAN', streams, redis.call('HGET', streams, 'sweep') or '0', 'COUNT', ${SWEPT_AT_ONCE})
	redis.call('HSET', streams, 'sweep', page[1])
	for i = 1, #page[2], 2 do
		local kind, name = string.match(page[2][i], '^([wnfu]):(.+)$')
		local offset = string.match(page[2][i + 1], '%d+$')
		if kind == 'w' then
			if tonumber(offset) < old then redis.call('HDEL', streams, page[2][i]) end
		elseif kind and redis.call('HEXISTS', streams, 'h:' .. name) == 0 then
			if tonumber(redis.call('HGET', streams, 'n:' .. name) or offset) < old then drop(streams, name) end
		end
	end
	return true
end
`;

/**
 * Appends an event and publishes it, once and in the order of the writer: a client that lost the connection may repeat
 * the command, or bring it before an earlier one or after a later one.
 * KEYS: log, streams. ARGV: channel, name, data, maxEvents, maxBytes, maxAgeMs, endMark, random, writer, its number of
 * the event, and of the one before in this log while the writer does not know that that is here, or ''.
 * Returns the offset; '' for a request stream that has ended, which takes nothing more, and for one that the writer
 * does not hold: a holder that it still has there was superseded; nil where the writer's later events are here already,
 * so that this one is either too, or never will be. Where the one before is missing, it does nothing and fails with
 * EARLY.
 */
export const appendScript = `${common}
local log, streams = KEYS[1], KEYS[2]
local channel, name, data, maxAgeMs, endMark = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[6]), ARGV[7]
local writer, number, before = 'w:' .. ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11] or '')
local at = now()
local state = redis.call('HMGET', streams, 'last', 'e', writer, 'h:' .. name, 'bytes', 'x:' .. name, 'n:' .. name, 'd',
	'u:' .. name, 't')
local last, bytes = tonumber(state[1] or '0'), tonumber(state[5] or '0')
local isHeldElsewhere = name ~= '' and string.match(state[4] or '', '^%S+ (%S+)') ~= ARGV[9]
local written, writtenAt = place(state[3])
written = tonumber(written or '0')
if written == number then return (isHeldElsewhere or writtenAt == '0') and '' or writtenAt end
if written > number then return false end
if before and written < before then return redis.error_reply('EARLY an event of the same writer comes before') end
if state[6] then
	redis.call('HSET', streams, writer, ARGV[10] .. ' 0')
	return ''
end
local offset = whole(math.max(at, last + 1))
redis.call('XADD', log, offset .. '-0', 'n', name, 'd', data)
local length = redis.call('XLEN', log)
local dropped = tonumber(state[8] or '0')
local fields = { 'last', offset, 'n:' .. name, offset, writer, ARGV[10] .. ' ' .. offset }
local function set(field, value)
	fields[#fields + 1] = field
	fields[#fields + 1] = value
end
if length == 1 and bytes > 0 then
	dropped, bytes = last, 0
	set('d', whole(last))
end
if state[7] and tonumber(state[7]) <= dropped then set('f:' .. name, state[7]) end
bytes = bytes + #data
set('bytes', whole(bytes))
if not state[2] then set('e', ARGV[8]) end
if ends(name, data, endMark) then set('x:' .. name, offset) end
local heard = redis.call('SPUBLISH', channel, 'e' .. offset .. '\\n' .. data)
-- A subscribed node may be about to take the stream; it reads earlier events from the log.
if (heard == 0 or not state[4]) and not state[9] then
	set('u:' .. name, epoch(state[2] or ARGV[8]) .. ' ' .. whole(last))
end
redis.call('HSET', streams, unpack(fields))
local maxEvents, maxBytes = tonumber(ARGV[4]), tonumber(ARGV[5])
-- Appends check the age once a second; reads always do.
local aged = length == 1 or math.floor(at / 1000000) ~= math.floor(last / 1000000)
if aged or length > maxEvents or bytes > maxBytes then
	trim(log, streams, at, length, bytes, maxEvents, maxBytes, maxAgeMs, endMark)
end
if aged then
	local ms = left(state[10], at)
	redis.call('PEXPIRE', log, math.min(maxAgeMs + 1000, ms))
	redis.call('PEXPIRE', streams, math.min(known(maxAgeMs) + 1000, ms))
	sweep(streams, at, maxAgeMs)
end
return isHeldElsewhere and '' or offset
`;

/**
 * retain(log, streams, at, last, bytes, …): notes where a log expired as a whole, and applies the retention; returns
 * how many events there are at most, and whether anything changed. events(log, name, start): the events of a stream
 * after an offset. readBroadcasts(log, streams, at, …): epoch, start, gap and events after a position of the
 * broadcasts.
 */
const read = `
local function retain(log, streams, at, last, bytes, maxEvents, maxBytes, maxAgeMs, endMark)
	local length = redis.call('XLEN', log)
	bytes = tonumber(bytes or '0')
	if length > 0 then
		return length, trim(log, streams, at, length, bytes, maxEvents, maxBytes, maxAgeMs, endMark)
	end
	if bytes == 0 then return 0, false end
	redis.call('HSET', streams, 'd', last, 'bytes', '0')
	return 0, true
end
local function events(log, name, start)
	local found = {}
	for _, entry in ipairs(redis.call('XRANGE', log, '(' .. whole(start) .. '-0', '+')) do
		if entry[2][2] == name then
			found[#found + 1] = string.match(entry[1], '^%d+')
			found[#found + 1] = entry[2][4]
		end
	end
	return found
end
local function readBroadcasts(log, streams, at, random, wantedEpoch, wantedOffset, maxEvents, maxBytes, maxAgeMs,
	endMark)
	local function read()
		return redis.call('HMGET', streams, 'last', 'n:', 'f:', 'd', 'e', 'bytes')
	end
	local state = read()
	if not state[5] then redis.call('HSET', streams, 'e', random) end
	local e = epoch(state[5] or random)
	redis.call('PEXPIRE', streams, known(maxAgeMs))
	local length, isOther = retain(log, streams, at, state[1], state[6], maxEvents, maxBytes, maxAgeMs, endMark)
	if isOther then state = read() end
	local last, floor = tonumber(state[1] or '0'), floorOf(state[2], state[3], state[4])
	if wantedOffset == '' then return { e, whole(last), 0, {} } end
	local start = tonumber(wantedOffset)
	local gap = (wantedEpoch ~= e or start > last or start < floor) and 1 or 0
	if start > last then start = last end
	return { e, whole(start), gap, length == 0 and {} or events(log, '', start) }
end
`;

/**
 * Reads the broadcasts after a position.
 * KEYS: broadcast log, broadcast streams. ARGV: random, epoch, offset ('' for now), maxEvents, maxBytes,
 * maxAgeMs, endMark.
 * Returns epoch, start, gap (0 or 1), [offset, data, …].
 */
export const readBroadcastsScript = `${common}${read}
local maxEvents, maxBytes, maxAgeMs = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
return readBroadcasts(KEYS[1], KEYS[2], now(), ARGV[1], ARGV[2], ARGV[3], maxEvents, maxBytes, maxAgeMs, ARGV[7])
`;

/**
 * Takes a stream over, tells a holder that may be left, and reads what the new holder must deliver.
 * KEYS: log, streams and, where they are on the same server, broadcast log, broadcast streams.
 * ARGV: channel, name, token, keep ('1' or ''), epoch, offset ('' for the undelivered), random, maxEvents, maxBytes,
 * maxAgeMs, endMark, broadcast epoch, broadcast offset, where the broadcasts of a session without an earlier stream
 * begin (as epoch and offset) or '', writer, the holder whose position it is or '', where broadcasts on another server
 * end (as epoch and offset) or ''.
 * Returns outcome ('unknown' for a request stream of which nothing is known), epoch, start, gap, [offset, data, …],
 * order, broadcast slice (as readBroadcastsScript) or nil, where the broadcasts begin ('' for now), whether there may
 * have been others before that (0 or 1).
 */
export const attachScript = `${common}${read}
local log, streams = KEYS[1], KEYS[2]
local channel, name, token, keep = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local wantedEpoch, wanted, be, bo, former = ARGV[5], ARGV[6], ARGV[12], ARGV[13], ARGV[16]
local maxEvents, maxBytes, maxAgeMs = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local endMark, writer = ARGV[11], ARGV[15]
local function read()
	return redis.call('HMGET', streams, 'last', 'n:' .. name, 'f:' .. name, 'x:' .. name, 'u:' .. name, 'ub', 'd', 'taken',
		'h:' .. name, 'bytes', 'e', 't', 'seen', 'g:' .. name)
end
local state = read()
local held = state[9]
local holder, _, since = string.match(held or '', '^(%S+) (%S+) (%S+)$')
-- A stream without a holder was deleted, or lost by the store: it is over.
if keep == '1' and holder ~= token then return { holder and 'superseded' or 'ended' } end
local at = now()
local length, isOther = retain(log, streams, at, state[1], state[10], maxEvents, maxBytes, maxAgeMs, endMark)
if sweep(streams, at, maxAgeMs) or isOther then state = read() end
local last, newest, floor = tonumber(state[1] or '0'), tonumber(state[2] or '0'), floorOf(state[2], state[3], state[7])
local over, ub = tonumber(state[4] or 'x'), state[6] or ''
local isForgotten = not (held or state[2] or state[5])
-- Another has had the stream since.
if former ~= '' and holder ~= former and (holder or state[5]) then wanted, bo = '', '' end
-- Its last event expired with the log.
if over and over <= tonumber(state[7] or '0') and not (wanted ~= '' and over <= tonumber(wanted)) then
	drop(streams, name)
	isForgotten, over = true, nil
end
-- Anybody can make up the name of a stream.
if wanted ~= '' and name ~= '' and isForgotten and former == '' then return { 'unknown' } end
local e = epoch(state[11] or ARGV[7])
local sinceEpoch, sinceBe, sinceBo = string.match(state[14] or '', '^(%S*) ?(%S*) ?(%S*)$')
local start, gap
if wanted ~= '' then
	start = tonumber(wanted)
	if over and over <= start then return { 'ended' } end
	gap = wantedEpoch ~= e or start < floor or start > last or (former ~= '' and isForgotten)
else
	local ue, uo = place(state[5])
	start = tonumber(uo or whole(last))
	if over and over <= start then return { 'ended' } end
	gap = (ue and ue ~= e) or start < floor or start > last
	-- It is alive, hung or dead, or never learned that it had the stream: nobody knows what reached its client.
	local isOfNow = sinceEpoch == e or sinceEpoch == ''
	if holder and (tonumber(uo or whole(newest)) > tonumber(since) or not isOfNow) then gap = true end
end
-- The store lost the end of the log: new events may get offsets below the last one that the client saw.
if start > last then start = last end
local missed = length == 0 and {} or events(log, name, start)
local order = whole(math.max(at, tonumber(state[8] or '0') + 1))
local first = name == '' and not state[13]
local broadcasts, begin, isUnsure = false, '', false
if name == '' and keep == '' then
	if bo == '' and ub ~= '' then be, bo = place(ub) end
	if bo == '' and first and ARGV[14] ~= '' then be, bo = place(ARGV[14]) end
	local newestBe, newestBo = place(ARGV[17])
	if KEYS[3] then
		broadcasts = readBroadcasts(KEYS[3], KEYS[4], at, ARGV[7], be, bo, maxEvents, maxBytes, maxAgeMs, endMark)
		newestBe, newestBo = broadcasts[1], broadcasts[2]
	end
	if bo ~= '' then
		begin = be .. ' ' .. bo
	else
		be, bo = newestBe, newestBo
		isUnsure = holder and sinceBo ~= '' and (sinceBe ~= be or tonumber(bo) > tonumber(sinceBo))
		if isUnsure and broadcasts then broadcasts[3] = 1 end
	end
end
if keep == '1' then
	-- What its client was written so far counts, too.
	be, bo = sinceBe, sinceBo
else
	since, sinceEpoch = whole(start), e
end
local given = (gap or isUnsure) and '0' or sinceEpoch
if name == '' then given = given .. ' ' .. be .. ' ' .. bo end
local fields = { 'h:' .. name, token .. ' ' .. writer .. ' ' .. since, 'g:' .. name, given, 'taken', order,
	'e', state[11] or ARGV[7] }
if first then
	fields[9], fields[10] = 'seen', '1'
end
redis.call('HSET', streams, unpack(fields))
if state[5] then redis.call('HDEL', streams, 'u:' .. name) end
redis.call('PEXPIRE', streams, math.min(known(maxAgeMs), left(state[12], at)))
-- A store that lost its data knows no holder, but nodes that still have one are subscribed, as the one that asks is.
if holder ~= token and (holder or redis.call('PUBSUB', 'SHARDNUMSUB', channel)[2] > 1) then
	redis.call('SPUBLISH', channel, 't' .. order)
end
if name ~= '' then return { 'taken', e, whole(start), gap and 1 or 0, missed, order } end
if state[6] then redis.call('HDEL', streams, 'ub') end
return { 'taken', e, whole(start), gap and 1 or 0, missed, order, broadcasts, begin, isUnsure and 1 or 0 }
`;

/**
 * Keeps what is known of a session's streams from expiring while one is held.
 * KEYS: streams. ARGV: maxAgeMs.
 */
export const refreshScript = `${common}
return redis.call('PEXPIRE', KEYS[1], math.min(known(tonumber(ARGV[1])), left(redis.call('HGET', KEYS[1], 't'), now())))
`;

/**
 * Notes when a session ends: its keys expire then, if not before.
 * KEYS: log, streams. ARGV: milliseconds, maxAgeMs.
 */
export const expireScript = `${common}
local at = now()
local ms, maxAgeMs = math.max(1, math.floor(tonumber(ARGV[1]))), tonumber(ARGV[2])
local age = (at - tonumber(redis.call('HGET', KEYS[2], 'last') or '0')) / 1000
redis.call('HSET', KEYS[2], 't', whole(at + ms * 1000))
redis.call('PEXPIRE', KEYS[2], math.min(known(maxAgeMs), ms))
redis.call('PEXPIRE', KEYS[1], math.max(1, math.floor(math.min(maxAgeMs + 1000 - age, ms))))
return 1
`;

/**
 * Releases a stream if the token still holds it.
 * KEYS: streams. ARGV: name, token, epoch, offset, broadcast epoch, broadcast offset.
 * Returns 1; 0 when the token does not hold it.
 */
export const detachScript = `${common}
local name = ARGV[1]
if string.match(redis.call('HGET', KEYS[1], 'h:' .. name) or '', '^%S+') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], 'h:' .. name, 'g:' .. name)
local _, undelivered = place(redis.call('HGET', KEYS[1], 'u:' .. name))
if not undelivered or tonumber(undelivered) >= tonumber(ARGV[4]) then
	redis.call('HSET', KEYS[1], 'u:' .. name, ARGV[3] .. ' ' .. ARGV[4])
end
if name == '' then redis.call('HSET', KEYS[1], 'ub', ARGV[5] .. ' ' .. ARGV[6]) end
return 1
`;

/**
 * Removes a session's streams, or one of its request streams, and notifies their holders. A session with many fields
 * takes several steps.
 * KEYS: log, streams. ARGV: prefix of the channels, name ('' for all), cursor of the step.
 * Returns the cursor of the next step; '0' where it is done.
 */
export const forgetScript = `${common}
local channels, name = ARGV[1], ARGV[2]
if name == '' then
	local page = redis.call('HSCAN', KEYS[2], ARGV[3], 'COUNT', ${FORGOTTEN_AT_ONCE})
	for i = 1, #page[2], 2 do
		local held = string.match(page[2][i], '^h:(.+)$')
		if held then redis.call('SPUBLISH', channels .. held, 'x') end
	end
	if page[1] ~= '0' then return page[1] end
	redis.call('SPUBLISH', channels, 'x')
	redis.call('UNLINK', KEYS[1], KEYS[2])
	return '0'
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
	if entry[2][2] == name then
		redis.call('XDEL', KEYS[1], entry[1])
		redis.call('HINCRBY', KEYS[2], 'bytes', -#entry[2][4])
	end
end
drop(KEYS[2], name)
redis.call('SPUBLISH', channels .. name, 'x')
return '0'
`;

/**
 * Counts the subscribers of a channel.
 * KEYS: channel.
 * Returns how many there are.
 */
export const heardScript = `return redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[1])[2]`;
