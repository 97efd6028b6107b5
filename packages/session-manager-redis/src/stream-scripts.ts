/**
 * What must happen as one step, in Lua. Offsets grow with the time of the server that holds the log, so they never go back, not
 * even after a fail-over that lost the newest; an epoch names the replication history and the life of the log, so that a store
 * which may have lost events is recognised.
 *
 * Fields of the `streams` hash: `e` random part of the epoch · `last` newest offset · `bytes` of the log · `f` / `fr` newest
 * offset that was trimmed, of the session stream / of request streams · `h:NAME` token of the holder · `x:NAME` offset of the
 * last event of a request stream that is over · `u` / `ub` where the undelivered of the session stream / of broadcasts begin.
 */

/** now() in ms; epoch(streams, random) of a log; trim(log, streams, …) within the bounds. */
const common = `
local function now()
	local t = redis.call('TIME')
	return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function whole(n)
	return string.format('%.0f', n)
end
local function epoch(streams, random)
	local e = redis.call('HGET', streams, 'e')
	if not e then
		e = random
		redis.call('HSET', streams, 'e', e)
	end
	return string.sub(string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)'), 1, 10) .. e
end
local function trim(log, streams, ms, maxEvents, maxBytes, maxAgeMs, endMark)
	local oldest = (ms - maxAgeMs) * 1024
	while true do
		local first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
		if not first then return end
		local offset = tonumber(string.match(first[1], '^%d+'))
		local length = redis.call('XLEN', log)
		local bytes = tonumber(redis.call('HGET', streams, 'bytes') or '0')
		if length <= maxEvents and (bytes <= maxBytes or length == 1) and offset >= oldest then return end
		local name, data = first[2][2], first[2][4]
		redis.call('XDEL', log, first[1])
		redis.call('HINCRBY', streams, 'bytes', -#data)
		redis.call('HSET', streams, name == '' and 'f' or 'fr', whole(offset))
		if name ~= '' and string.sub(data, -#endMark) == endMark then redis.call('HDEL', streams, 'x:' .. name) end
	end
end
`;

/**
 * Appends an event and publishes it.
 * KEYS: log, streams. ARGV: channel, name, data, maxEvents, maxBytes, maxAgeMs, endMark, random.
 * Returns the offset.
 */
export const appendScript = `${common}
local log, streams = KEYS[1], KEYS[2]
local channel, name, data, maxAgeMs, endMark = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[6]), ARGV[7]
local ms = now()
local state = redis.call('HMGET', streams, 'last', 'e')
local last = tonumber(state[1] or '0')
if not state[2] then redis.call('HSET', streams, 'e', ARGV[8]) end
local offset = ms * 1024
if offset <= last then offset = last + 1 end
redis.call('XADD', log, whole(offset) .. '-0', 'n', name, 'd', data)
redis.call('HSET', streams, 'last', whole(offset))
redis.call('HINCRBY', streams, 'bytes', #data)
if name ~= '' and string.sub(data, -#endMark) == endMark then redis.call('HSET', streams, 'x:' .. name, whole(offset)) end
trim(log, streams, ms, tonumber(ARGV[4]), tonumber(ARGV[5]), maxAgeMs, endMark)
redis.call('PEXPIRE', log, maxAgeMs)
redis.call('PEXPIRE', streams, maxAgeMs * 6)
local heard = redis.call('SPUBLISH', channel, 'e' .. whole(offset) .. '\\n' .. data)
if heard == 0 and name == '' then redis.call('HSETNX', streams, 'u', whole(last)) end
return whole(offset)
`;

/** read(log, streams, …) what follows a place in a log: epoch, start, gap, events. */
const read = `
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
local function readBroadcasts(log, streams, random, wantedEpoch, wantedOffset, maxEvents, maxBytes, maxAgeMs, endMark)
	local now_ = now()
	local e = epoch(streams, random)
	redis.call('PEXPIRE', streams, maxAgeMs * 6)
	trim(log, streams, now_, maxEvents, maxBytes, maxAgeMs, endMark)
	local state = redis.call('HMGET', streams, 'last', 'f')
	local last, floor = tonumber(state[1] or '0'), tonumber(state[2] or '0')
	if wantedOffset == '' then return { e, whole(last), 0, {} } end
	local start = tonumber(wantedOffset)
	local gap = (wantedEpoch ~= e or start < floor or start > last) and 1 or 0
	return { e, whole(start), gap, events(log, '', start) }
end
`;

/**
 * Reads the log of broadcasts after a place.
 * KEYS: broadcast log, broadcast streams. ARGV: random, epoch, offset ('' for now), maxEvents, maxBytes, maxAgeMs, endMark.
 * Returns epoch, start, gap (0 or 1), [offset, data, …].
 */
export const readBroadcastsScript = `${common}${read}
return readBroadcasts(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7])
`;

/**
 * Takes a stream over, tells the others, and reads what the new holder has to deliver.
 * KEYS: log, streams, and, where they are on the same server, broadcast log, broadcast streams.
 * ARGV: channel, name, token, keep ('1' or ''), epoch, offset ('' for the undelivered), random, maxEvents, maxBytes, maxAgeMs,
 * endMark, broadcast epoch, broadcast offset.
 * Returns outcome, epoch, start, gap, [offset, data, …], broadcast slice (as readBroadcastsScript) or nil, ub or ''.
 */
export const attachScript = `${common}${read}
local log, streams = KEYS[1], KEYS[2]
local channel, name, token, keep = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local maxEvents, maxBytes, maxAgeMs, endMark = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11]
local holderField = 'h:' .. name
local holder = redis.call('HGET', streams, holderField)
if keep == '1' and holder and holder ~= token then return { 'superseded' } end
local e = epoch(streams, ARGV[7])
trim(log, streams, now(), maxEvents, maxBytes, maxAgeMs, endMark)
local state = redis.call('HMGET', streams, 'last', name == '' and 'f' or 'fr', 'u', 'ub', 'x:' .. name)
local last, floor = tonumber(state[1] or '0'), tonumber(state[2] or '0')
local start, gap
if ARGV[6] ~= '' then
	start = tonumber(ARGV[6])
	gap = (ARGV[5] ~= e or start < floor or start > last) and 1 or 0
	if name ~= '' and state[5] and tonumber(state[5]) <= start then return { 'ended' } end
elseif name == '' then
	start = tonumber(state[3] or whole(last))
	gap = start < floor and 1 or 0
else
	start, gap = 0, 0
end
local missed = events(log, name, start)
if name ~= '' and ARGV[6] ~= '' and #missed == 0 and not holder then gap = 1 end
redis.call('HSET', streams, holderField, token)
redis.call('HDEL', streams, 'u', 'ub')
redis.call('PEXPIRE', streams, maxAgeMs * 6)
if holder ~= token then redis.call('SPUBLISH', channel, 't' .. token) end
local broadcasts = false
local ub = state[4] or ''
if KEYS[3] then
	local be, bo = ARGV[12], ARGV[13]
	if bo == '' and ub ~= '' then be, bo = string.match(ub, '^(%S+) (%S+)$') end
	broadcasts = readBroadcasts(KEYS[3], KEYS[4], ARGV[7], be, bo, maxEvents, maxBytes, maxAgeMs, endMark)
end
return { 'taken', e, whole(start), gap, missed, broadcasts, ub }
`;

/**
 * Gives a stream up, if the token still holds it.
 * KEYS: streams. ARGV: name, token, offset, broadcast epoch, broadcast offset.
 */
export const detachScript = `
local field = 'h:' .. ARGV[1]
if redis.call('HGET', KEYS[1], field) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], field)
if ARGV[1] == '' then
	local undelivered = redis.call('HGET', KEYS[1], 'u')
	if not undelivered or tonumber(undelivered) > tonumber(ARGV[3]) then redis.call('HSET', KEYS[1], 'u', ARGV[3]) end
	redis.call('HSET', KEYS[1], 'ub', ARGV[4] .. ' ' .. ARGV[5])
end
return 1
`;

/**
 * Forgets a session's streams, or one of its request streams, and tells their holders.
 * KEYS: log, streams. ARGV: what the channels begin with, name ('' for all).
 */
export const forgetScript = `
if ARGV[2] == '' then
	redis.call('SPUBLISH', ARGV[1], 'x')
	for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
		local name = string.match(field, '^h:(.+)$')
		if name then redis.call('SPUBLISH', ARGV[1] .. name, 'x') end
	end
	redis.call('DEL', KEYS[1], KEYS[2])
	return 1
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
	if entry[2][2] == ARGV[2] then
		redis.call('XDEL', KEYS[1], entry[1])
		redis.call('HINCRBY', KEYS[2], 'bytes', -#entry[2][4])
	end
end
redis.call('HDEL', KEYS[2], 'h:' .. ARGV[2], 'x:' .. ARGV[2])
redis.call('SPUBLISH', ARGV[1] .. ARGV[2], 'x')
return 1
`;

/** Whether anyone hears a channel. KEYS: channel. Returns how many. */
export const heardScript = `return redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[1])[2]`;
