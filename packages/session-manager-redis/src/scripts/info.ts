/**
 * The operations on the record of a session that must be atomic, in Lua. The `info` hash holds `record` (JSON of what
 * never changes), `initializeParams` (JSON), `clientInfo` and `clientCapabilities` (JSON; they replace its members once
 * set), `lastUsedAt`, the fields that are set of `principal`, `kind` and those that can change, and after the end
 * `endedAt` and `endReason`; `versions` counts the writes of state, `stateBytes` is its size.
 * Those dates are the nodes', and only shown. What expires is measured by the server: as a date arrives, it is
 * translated into a time of the server (`usedAt`, `overAt`, `goneAt`) by how long ago, or how far ahead, it is on the
 * clock of the node that sends it. All nodes' clocks may therefore differ, and be set. All keys of a session expire
 * together.
 */

/** How long a session without expiry lives, and an index, in milliseconds: a hundred years. */
const LONGEST_LIFE_MS = 100 * 365 * 24 * 60 * 60 * 1000;

const serverTime = `
local function now()
	local t = redis.call('TIME')
	return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function whole(n)
	return string.format('%.0f', n)
end
`;

/** How many expired members one step removes from an index: each adds one at most, so they never become many. */
const SWEPT_AT_ONCE = 100;

/** expired(index): the members of an index by expiry that a step removes. */
const sweeping = `${serverTime}
local function expired(index)
	return redis.call('ZRANGE', index, '-inf', whole(now()), 'BYSCORE', 'LIMIT', 0, ${SWEPT_AT_ONCE})
end
`;

/** About how many members one step reads of an index: some two milliseconds. */
const READ_AT_ONCE = 4_000;

/**
 * from(cursor): where a scan goes on. onward(cursor): the cursor of its next step, '0' after the last. Cursors of one
 * server mean nothing to another, for example after a fail-over: there the scan begins anew.
 */
const paging = `
local function server()
	return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end
local function from(cursor)
	local position, of = string.match(cursor, '^(%d+) (%x+)$')
	return position and of == server() and position or '0'
end
local function onward(cursor)
	return cursor == '0' and cursor or cursor .. ' ' .. server()
end
`;

/**
 * now(): the server's time in milliseconds. at(date, here): the server's time of a date of the node whose clock shows
 * `here`. life(info): the milliseconds until a session ends (0 when it is unknown, has expired or was ended), and until
 * it is removed. expire(keys): the same, and sets the expiry of the session's keys.
 */
const common = `${serverTime}
local function number(text)
	if not text then return math.huge end
	return tonumber(text) or error({ err = 'CORRUPT a time of a session is no number' })
end
local function at(date, here)
	return whole(now() + number(date) - tonumber(here))
end
local function life(info)
	local fields = redis.call('HMGET', info, 'usedAt', 'idleTtlMs', 'overAt', 'keepEndedMs', 'goneAt', 'lastUsedAt')
	if not fields[6] then return 0, 0 end
	if fields[5] then return 0, math.max(0, fields[5] - now()) end
	local usedAt, idle, over = number(fields[1] or ''), number(fields[2]), number(fields[3])
	local keep = tonumber(fields[4] or '0')
	local left = math.floor(math.min(${LONGEST_LIFE_MS}, usedAt + idle - now(), over - now()))
	return math.max(0, left), math.max(0, left + keep)
end
local function expire(keys)
	local left, kept = life(keys[1])
	for i = 1, #keys do redis.call('PEXPIRE', keys[i], math.max(1, i == 2 and left or kept)) end
	return left, kept
end
`;

/**
 * Returns how long a session lives.
 * KEYS: info.
 * Returns the milliseconds until the session ends, 0 when it is unknown, and until it is removed.
 */
export const leftScript = `${common}
return { life(KEYS[1]) }
`;

/**
 * Reads a session.
 * KEYS: info.
 * Returns the milliseconds until it ends and until it is removed, and its fields with their values as JSON: a client
 * takes longer for many values than for one.
 */
export const readScript = `${common}
local left, kept = life(KEYS[1])
return { left, kept, cjson.encode(redis.call('HGETALL', KEYS[1])) }
`;

/**
 * Creates a session.
 * KEYS: info, subscriptions, state. ARGV: the node's time, field, value, …
 * Returns the milliseconds until the session ends and until it is removed, and when it was last used by the server's
 * time; 0, 0 and 0 when the id is taken.
 */
export const createScript = `${common}
local _, kept = life(KEYS[1])
if kept > 0 then return { 0, 0, '0' } end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
local dates = redis.call('HMGET', KEYS[1], 'lastUsedAt', 'endsAt')
local usedAt = at(dates[1], ARGV[1])
redis.call('HSET', KEYS[1], 'usedAt', usedAt)
if dates[2] then redis.call('HSET', KEYS[1], 'overAt', at(dates[2], ARGV[1])) end
local left, gone = expire({ KEYS[1] })
return { math.max(1, left), math.max(1, gone), usedAt }
`;

/**
 * found(keys, left, kept): what a touch returns, after the expiry was set.
 */
const touched = `${common}
local function found(keys, left, kept)
	local fields = redis.call('HMGET', keys[1], 'usedAt', 'principal', 'remoteAddress', 'kind')
	return { left, kept, fields[1] or '0', fields[2], fields[3], fields[4], redis.call('HKEYS', keys[2]) }
end
`;

/**
 * Changes fields of a record.
 * KEYS: info, subscriptions, state. ARGV: the node's time, required status or '', fields to remove, field, value, …
 * Returns what a touch returns where this may change when the session ends, 1 elsewhere, and 0 when the session is
 * unknown or has another status.
 */
export const updateScript = `${touched}
local dates = { idleTtlMs = true, endsAt = true }
local isMoved = false
if life(KEYS[1]) == 0 then return 0 end
if ARGV[2] ~= '' and (redis.call('HGET', KEYS[1], 'status') or 'active') ~= ARGV[2] then return 0 end
for field in string.gmatch(ARGV[3], '%S+') do
	isMoved = isMoved or dates[field]
	redis.call('HDEL', KEYS[1], field)
	if field == 'endsAt' then redis.call('HDEL', KEYS[1], 'overAt') end
end
if #ARGV > 3 then redis.call('HSET', KEYS[1], unpack(ARGV, 4)) end
for i = 4, #ARGV, 2 do
	isMoved = isMoved or dates[ARGV[i]]
	if ARGV[i] == 'endsAt' then redis.call('HSET', KEYS[1], 'overAt', at(ARGV[i + 1], ARGV[1])) end
end
local left, kept = expire(KEYS)
return isMoved and found(KEYS, left, kept) or 1
`;

/**
 * Records that a session was used.
 * KEYS: info, subscriptions, state. ARGV: the node's time, when it was used by that clock.
 * Returns the milliseconds until the session ends (0 when unknown) and until it is removed, when it was last used by
 * the server's time, the principal or nil, the remote address or nil, the kind or nil, and the digests of the
 * subscribed resources.
 */
export const touchScript = `${touched}
if life(KEYS[1]) == 0 then return { 0, 0, '0', false, false, false, {} } end
local stored, usedAt = redis.call('HMGET', KEYS[1], 'lastUsedAt', 'usedAt'), at(ARGV[2], ARGV[1])
if tonumber(ARGV[2]) > number(stored[1]) then redis.call('HSET', KEYS[1], 'lastUsedAt', ARGV[2]) end
if tonumber(usedAt) > number(stored[2]) then redis.call('HSET', KEYS[1], 'usedAt', usedAt) end
return found(KEYS, expire(KEYS))
`;

/**
 * How long it is known of a session that has ended where it was indexed, in milliseconds: a caller that lost the reply
 * to the end asks again, and finds out.
 */
const LEAVING_MS = 2_000;

/**
 * leave(info, subscriptions): the principal, the kind and the digests of the resources of a session that ends, or has
 * ended a moment ago: meanwhile its subscriptions remain, with the other two among them. Nobody else reads them.
 */
const leaving = `${common}
local function leave(info, subscriptions)
	local owner = redis.call('HMGET', info, 'principal', 'kind')
	local before = redis.call('HMGET', subscriptions, 'principal', 'kind')
	local principal, kind, resources = owner[1] or before[1], owner[2] or before[2], {}
	for _, field in ipairs(redis.call('HKEYS', subscriptions)) do
		if field ~= 'principal' and field ~= 'kind' then resources[#resources + 1] = field end
	end
	if principal then redis.call('HSET', subscriptions, 'principal', principal) end
	if kind then redis.call('HSET', subscriptions, 'kind', kind) end
	redis.call('PEXPIRE', subscriptions, ${LEAVING_MS})
	return principal, kind, resources
end
`;

/**
 * Removes a session.
 * KEYS: info, subscriptions, state.
 * Returns whether anything was removed (0 or 1), and of a session that was there a moment ago the principal or nil, the
 * kind or nil, and the digests of the resources that it was subscribed to.
 */
export const deleteScript = `${leaving}
local _, kept = life(KEYS[1])
local principal, kind, resources = leave(KEYS[1], KEYS[2])
redis.call('UNLINK', KEYS[1], KEYS[3])
return { kept > 0 and 1 or 0, principal, kind, resources }
`;

/**
 * Ends a session.
 * KEYS: info, subscriptions, state. ARGV: the node's time, when it ended by that clock, reason.
 * Returns whether the session was known (0 or 1), and of one that was so a moment ago the principal or nil, the kind or
 * nil, the digests of the resources that it was subscribed to, and the milliseconds until it is removed.
 */
export const endScript = `${leaving}
local left, kept = life(KEYS[1])
local principal, kind, resources = leave(KEYS[1], KEYS[2])
if left == 0 then return { 0, principal, kind, resources, kept } end
local endedAt = math.min(ARGV[1], ARGV[2])
local goneAt = at(endedAt, ARGV[1]) + (redis.call('HGET', KEYS[1], 'keepEndedMs') or 0)
redis.call('HSET', KEYS[1], 'endedAt', whole(endedAt), 'endReason', ARGV[3], 'goneAt', whole(goneAt))
local _, goneIn = life(KEYS[1])
if goneIn == 0 then redis.call('UNLINK', KEYS[1], KEYS[3]) end
for i = 1, 3, 2 do redis.call('PEXPIRE', KEYS[i], math.max(1, goneIn)) end
return { 1, principal, kind, resources, goneIn }
`;

/**
 * Subscribes a session to a resource.
 * KEYS: info, subscriptions. ARGV: digest of the resource, the resource.
 * Returns 1; 0 when the session is unknown.
 */
export const subscribeScript = `${common}
local ms = life(KEYS[1])
if ms == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ms)
return 1
`;

/**
 * Removes a subscription.
 * KEYS: info, subscriptions. ARGV: digest of the resource.
 * Returns 1; 0 when there was no such subscription.
 */
export const unsubscribeScript = `${common}
if life(KEYS[1]) == 0 then return 0 end
return redis.call('HDEL', KEYS[2], ARGV[1])
`;

/**
 * Reads the subscriptions of a session.
 * KEYS: info, subscriptions.
 * Returns the resources that the session is subscribed to.
 */
export const subscribedScript = `${common}
if life(KEYS[1]) == 0 then return {} end
return redis.call('HVALS', KEYS[2])
`;

/**
 * Reads one value of state.
 * KEYS: info, state. ARGV: key.
 * Returns the stored value with its version, or nil.
 */
export const readStateScript = `${common}
local _, kept = life(KEYS[1])
return kept > 0 and redis.call('HGET', KEYS[2], ARGV[1])
`;

/**
 * Reads all values of state, as they are at one time.
 * KEYS: info, state.
 * Returns key, stored value with its version, …
 */
export const listStateScript = `${common}
local _, kept = life(KEYS[1])
return kept > 0 and redis.call('HGETALL', KEYS[2]) or {}
`;

/** The length of the version and the colon before a stored value. */
const VERSION_PREFIX = 17;

/**
 * Writes or removes one value of state if its version is still the expected one.
 * KEYS: info, state. ARGV: key, expected version ('' for none, '*' for any), '1' to write or '' to remove, value,
 * the largest state in bytes.
 * Returns 1; 0 when the version differs or the session is unknown; 2 when the state would be too large.
 */
export const writeStateScript = `${common}
local left, kept = life(KEYS[1])
if left == 0 then return 0 end
if ARGV[2] ~= '*' then
	local stored = redis.call('HGET', KEYS[2], ARGV[1])
	local version = stored and string.match(stored, '^(%d+):') or ''
	if version ~= ARGV[2] then return 0 end
end
local stored = redis.call('HSTRLEN', KEYS[2], ARGV[1])
local bytes = tonumber(redis.call('HGET', KEYS[1], 'stateBytes') or '0')
if stored > 0 then bytes = bytes - (#ARGV[1] + stored - ${VERSION_PREFIX}) end
if ARGV[3] == '' then
	if redis.call('HDEL', KEYS[2], ARGV[1]) == 1 then redis.call('HSET', KEYS[1], 'stateBytes', bytes) end
	return 1
end
bytes = bytes + #ARGV[1] + #ARGV[4]
if bytes > tonumber(ARGV[5]) then return 2 end
local version = string.format('%016.0f', redis.call('HINCRBY', KEYS[1], 'versions', 1))
redis.call('HSET', KEYS[1], 'stateBytes', bytes)
redis.call('HSET', KEYS[2], ARGV[1], version .. ':' .. ARGV[4])
redis.call('PEXPIRE', KEYS[2], kept)
return 1
`;

/** Sessions of verified principals give way last: their last use counts as this much later, in milliseconds. */
const VERIFIED_MS = 10 * LONGEST_LIFE_MS;

/**
 * The index of all sessions, or of all records that are none: KEYS are sessions by expiry, by id, by use, owners, and
 * sizes; the sessions of one owner by use have a key of their own, with the same hash tag. remove(id): removes a
 * session from it.
 */
const all = `${sweeping}
local function used(owner)
	return KEYS[3] .. ':' .. owner
end
local function recount(owner)
	local size = redis.call('ZCARD', used(owner))
	if size == 0 then redis.call('ZREM', KEYS[5], owner) else redis.call('ZADD', KEYS[5], size, owner) end
end
local function remove(id)
	local owner = redis.call('HGET', KEYS[4], id)
	for i = 1, 3 do redis.call('ZREM', KEYS[i], id) end
	if not owner then return end
	redis.call('HDEL', KEYS[4], id)
	redis.call('ZREM', used(owner), id)
	recount(owner)
end
`;

/**
 * Adds sessions to the index of all sessions, and removes some expired ones.
 * KEYS: the index. ARGV: the most sessions or '', then for each: milliseconds until it ends, session id, when it was
 * last used, owner.
 * Returns the ids of those that were not there; nil when there are already so many.
 */
export const indexScript = `${all}
for _, id in ipairs(expired(KEYS[1])) do remove(id) end
if ARGV[1] ~= '' and redis.call('ZCOUNT', KEYS[1], '(' .. whole(now()), '+inf') >= tonumber(ARGV[1]) then return false end
local added = {}
for i = 2, #ARGV, 4 do
	local id, usedAt, owner = ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]
	if redis.call('ZADD', KEYS[1], whole(now() + ARGV[i]), id) == 1 then added[#added + 1] = id end
	redis.call('ZADD', KEYS[2], 0, id)
	redis.call('ZADD', KEYS[3], whole(usedAt + (string.find(owner, '^principal:') and ${VERIFIED_MS} or 0)), id)
	redis.call('ZADD', used(owner), whole(usedAt), id)
	if redis.call('HSET', KEYS[4], id, owner) == 1 then recount(owner) end
	redis.call('PEXPIRE', used(owner), ${LONGEST_LIFE_MS})
end
for i = 1, 5 do redis.call('PEXPIRE', KEYS[i], ${LONGEST_LIFE_MS}) end
return added
`;

/**
 * Removes a session from the index of all sessions.
 * KEYS: the index. ARGV: session id.
 */
export const unindexScript = `${all}
remove(ARGV[1])
`;

/**
 * Takes out of the index of all sessions the one that gives way first.
 * KEYS: the index.
 * Returns its id, or nil.
 */
export const giveWayScript = `${all}
local most = redis.call('ZRANGE', KEYS[5], 0, 0, 'REV', 'WITHSCORES')
local isFlood = most[2] and tonumber(most[2]) > math.max(1, redis.call('ZCARD', KEYS[3]) / 100)
local id = redis.call('ZRANGE', isFlood and used(most[1]) or KEYS[3], 0, 0)[1]
if id then remove(id) end
return id
`;

/**
 * sweep(index, …): removes some members that have expired from an index by expiry, and from others of the same members.
 * add(index, left, member, only): adds to an index by expiry, where `only` is 'XX' if it is there; how many were added.
 * The key expires with its last member.
 */
const index = `${sweeping}
local function sweep(index, ...)
	local gone = expired(index)
	if #gone == 0 then return end
	for _, key in ipairs({ index, ... }) do redis.call('ZREM', key, unpack(gone)) end
end
local function add(key, left, member, only)
	local expiry = whole(now() + left)
	local added = only and redis.call('ZADD', key, only, expiry, member) or redis.call('ZADD', key, expiry, member)
	if redis.call('PTTL', key) < left then redis.call('PEXPIRE', key, math.max(1, left)) end
	return added
end
`;

/**
 * Takes out of the indexes of a principal the session that was unused longest, and some that have expired. It may have
 * expired as well.
 * KEYS: living by expiry, by use.
 * Returns its id, or nil.
 */
export const giveWayOwnedScript = `${index}
sweep(KEYS[1], KEYS[2])
local id = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
if id then for i = 1, 2 do redis.call('ZREM', KEYS[i], id) end end
return id
`;

/**
 * Adds a session to the indexes of its principal, and removes some that are gone.
 * KEYS: living by expiry, kept by removal, living by use. ARGV: milliseconds until it ends and until it is removed,
 * session id, when it was last used, the most living sessions or ''.
 * Returns whether it was not there (0 or 1); nil when there are already so many.
 */
export const indexOwnedScript = `${index}
sweep(KEYS[1], KEYS[3])
sweep(KEYS[2])
if ARGV[5] ~= '' and redis.call('ZCOUNT', KEYS[1], '(' .. whole(now()), '+inf') >= tonumber(ARGV[5]) then return false end
local added = add(KEYS[1], math.max(1, ARGV[1]), ARGV[3])
add(KEYS[2], math.max(1, ARGV[2]), ARGV[3])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[3])
redis.call('PEXPIRE', KEYS[3], math.max(1, redis.call('PTTL', KEYS[1])))
return added
`;

/**
 * Adds a session to an index by expiry, and removes some that have expired.
 * KEYS: the index. ARGV: milliseconds until it expires, session id, 'XX' to move it only if it is there.
 * Returns whether it was added (0 or 1).
 */
export const indexUntilScript = `${index}
sweep(KEYS[1])
return add(KEYS[1], math.max(1, ARGV[1]), ARGV[2], ARGV[3])
`;

/**
 * Reads an index by expiry, in steps.
 * KEYS: the index. ARGV: cursor of the step, '0' for the first.
 * Returns the cursor of the next step, '0' after the last, and what has not expired; a member may come again.
 */
export const indexedScript = `${serverTime}${paging}
local page, at = redis.call('ZSCAN', KEYS[1], from(ARGV[1]), 'COUNT', ${READ_AT_ONCE}), now()
local living = {}
for i = 1, #page[2], 2 do
	if tonumber(page[2][i + 1]) > at then living[#living + 1] = page[2][i] end
end
return { onward(page[1]), living }
`;

/**
 * Takes or renews a lease.
 * KEYS: lease. ARGV: holder, milliseconds.
 * Returns 1; 0 while another holder has it.
 */
export const acquireLeaseScript = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`;

/**
 * Gives a lease up.
 * KEYS: lease. ARGV: holder.
 */
export const releaseLeaseScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
`;

/**
 * Announces a node, withdraws it, or does neither, and removes nodes that are gone. Both keys expire with the last
 * node.
 * KEYS: nodes by expiry, nodes. ARGV: node id, its record and milliseconds, 0 to withdraw it; or nothing.
 * Returns the records of the nodes.
 */
export const nodesScript = `${serverTime}
if ARGV[1] then
	local left = tonumber(ARGV[3])
	redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
	redis.call('ZADD', KEYS[1], whole(now() + left), ARGV[1])
	left = math.max(1, left, redis.call('PTTL', KEYS[1]))
	for i = 1, 2 do redis.call('PEXPIRE', KEYS[i], left) end
end
-- Whoever leaves the index here leaves the list, too.
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', whole(now()))) do
	redis.call('ZREM', KEYS[1], gone)
	redis.call('HDEL', KEYS[2], gone)
end
return redis.call('HVALS', KEYS[2])
`;
