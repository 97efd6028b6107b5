/**
 * The operations on the record of a session that must be atomic, in Lua. The `info` hash holds `record` (JSON of what
 * never changes), `initializeParams` (JSON), `clientInfo` and `clientCapabilities` (JSON; they replace its members once
 * set), `lastUsedAt`, the fields that are set of `principal` and those that can change, and after the end `endedAt` and
 * `endReason`; `versions` counts the writes of state, `stateBytes` is its size.
 * All keys of a session expire together, after the remaining time by the writer's clock, so that a node with a wrong
 * clock cannot end sessions early.
 */

/** How long a session without expiry lives, and an index, in milliseconds: a hundred years. */
const LONGEST_LIFE_MS = 100 * 365 * 24 * 60 * 60 * 1000;

/**
 * life(info, now): the milliseconds until a session ends (0 when it is unknown, has expired or was ended), and until it
 * is removed. expire(keys, now): the same, and sets the expiry of the session's keys.
 */
const common = `
local function number(text)
	if not text then return math.huge end
	return tonumber(text) or error({ err = 'CORRUPT a time of a session is no number' })
end
local function life(info, now)
	local fields = redis.call('HMGET', info, 'lastUsedAt', 'idleTtlMs', 'endsAt', 'keepEndedMs', 'endedAt')
	if not fields[1] then return 0, 0 end
	local keep = tonumber(fields[4] or '0')
	if fields[5] then return 0, math.max(0, fields[5] + keep - now) end
	local usedAt, idle, ends = number(fields[1]), number(fields[2]), number(fields[3])
	local left = math.floor(math.min(${LONGEST_LIFE_MS}, usedAt + idle - now, ends - now))
	return math.max(0, left), math.max(0, left + keep)
end
local function expire(keys, now)
	local left, kept = life(keys[1], now)
	for i = 1, #keys do redis.call('PEXPIRE', keys[i], math.max(1, i == 2 and left or kept)) end
	return left, kept
end
`;

/**
 * Returns how long a session lives.
 * KEYS: info. ARGV: now.
 * Returns the milliseconds until the session ends; 0 when it is unknown.
 */
export const leftScript = `${common}
return (life(KEYS[1], tonumber(ARGV[1])))
`;

/**
 * Creates a session.
 * KEYS: info, uris, state. ARGV: now, field, value, …
 * Returns the milliseconds until the session ends and until it is removed; 0 and 0 when the id is taken.
 */
export const createScript = `${common}
local now = tonumber(ARGV[1])
local _, kept = life(KEYS[1], now)
if kept > 0 then return { 0, 0 } end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
local left, gone = expire({ KEYS[1] }, now)
return { math.max(1, left), math.max(1, gone) }
`;

/**
 * Changes fields of a record.
 * KEYS: info, uris, state. ARGV: now, required status or '', fields to remove, then field, value, …
 * Returns 1; 0 when the session is unknown or has another status.
 */
export const updateScript = `${common}
local now = tonumber(ARGV[1])
if life(KEYS[1], now) == 0 then return 0 end
if ARGV[2] ~= '' and (redis.call('HGET', KEYS[1], 'status') or 'active') ~= ARGV[2] then return 0 end
for field in string.gmatch(ARGV[3], '%S+') do redis.call('HDEL', KEYS[1], field) end
if #ARGV > 3 then redis.call('HSET', KEYS[1], unpack(ARGV, 4)) end
expire(KEYS, now)
return 1
`;

/**
 * Records that a session was used.
 * KEYS: info, uris, state. ARGV: now, usedAt.
 * Returns the milliseconds until the session ends (0 when unknown) and until it is removed, the principal or nil, and
 * the subscribed resources.
 */
export const touchScript = `${common}
local now = tonumber(ARGV[1])
if life(KEYS[1], now) == 0 then return { 0, 0, false, {} } end
if tonumber(ARGV[2]) > tonumber(redis.call('HGET', KEYS[1], 'lastUsedAt')) then
	redis.call('HSET', KEYS[1], 'lastUsedAt', ARGV[2])
end
local left, kept = expire(KEYS, now)
return { left, kept, redis.call('HGET', KEYS[1], 'principal'), redis.call('SMEMBERS', KEYS[2]) }
`;

/**
 * Removes a session.
 * KEYS: info, uris, state. ARGV: now.
 * Returns whether anything was removed (0 or 1), the principal or nil, and the resources that the session was
 * subscribed to.
 */
export const deleteScript = `${common}
local _, kept = life(KEYS[1], tonumber(ARGV[1]))
local principal = redis.call('HGET', KEYS[1], 'principal')
local uris = redis.call('SMEMBERS', KEYS[2])
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return { kept > 0 and 1 or 0, principal, uris }
`;

/**
 * Ends a session.
 * KEYS: info, uris, state. ARGV: now, when it ended, reason.
 * Returns whether the session was known (0 or 1), the principal or nil, the resources that it was subscribed to, and
 * the milliseconds until it is removed.
 */
export const endScript = `${common}
local now = tonumber(ARGV[1])
if life(KEYS[1], now) == 0 then return { 0, false, {}, 0 } end
local principal = redis.call('HGET', KEYS[1], 'principal')
local uris = redis.call('SMEMBERS', KEYS[2])
redis.call('HSET', KEYS[1], 'endedAt', math.min(now, ARGV[2]), 'endReason', ARGV[3])
local _, kept = expire(KEYS, now)
if kept == 0 then redis.call('DEL', KEYS[1], KEYS[3]) end
redis.call('DEL', KEYS[2])
return { 1, principal, uris, kept }
`;

/**
 * Subscribes a session to a resource.
 * KEYS: info, uris. ARGV: now, uri.
 * Returns 1; 0 when the session is unknown.
 */
export const subscribeScript = `${common}
local ms = life(KEYS[1], tonumber(ARGV[1]))
if ms == 0 then return 0 end
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ms)
return 1
`;

/**
 * Removes a subscription.
 * KEYS: info, uris. ARGV: now, uri.
 * Returns 1; 0 when there was no such subscription.
 */
export const unsubscribeScript = `${common}
if life(KEYS[1], tonumber(ARGV[1])) == 0 then return 0 end
return redis.call('SREM', KEYS[2], ARGV[2])
`;

/**
 * Reads the subscriptions of a session.
 * KEYS: info, uris. ARGV: now.
 * Returns the resources that the session is subscribed to.
 */
export const subscribedScript = `${common}
if life(KEYS[1], tonumber(ARGV[1])) == 0 then return {} end
return redis.call('SMEMBERS', KEYS[2])
`;

/**
 * Reads one value of state.
 * KEYS: info, state. ARGV: now, key.
 * Returns the stored value with its version, or nil.
 */
export const readStateScript = `${common}
local _, kept = life(KEYS[1], tonumber(ARGV[1]))
return kept > 0 and redis.call('HGET', KEYS[2], ARGV[2])
`;

/**
 * Reads all values of state.
 * KEYS: info, state. ARGV: now.
 * Returns key, stored value with its version, …
 */
export const listStateScript = `${common}
local _, kept = life(KEYS[1], tonumber(ARGV[1]))
return kept > 0 and redis.call('HGETALL', KEYS[2]) or {}
`;

/** The length of the version and the colon before a stored value. */
const VERSION_PREFIX = 17;

/**
 * Writes or removes one value of state if its version is still the expected one.
 * KEYS: info, state. ARGV: now, key, expected version ('' for none, '*' for any), '1' to write or '' to remove, value,
 * the largest state in bytes.
 * Returns 1; 0 when the version differs or the session is unknown; 2 when the state would be too large.
 */
export const writeStateScript = `${common}
local left, kept = life(KEYS[1], tonumber(ARGV[1]))
if left == 0 then return 0 end
if ARGV[3] ~= '*' then
	local stored = redis.call('HGET', KEYS[2], ARGV[2])
	local version = stored and string.match(stored, '^(%d+):') or ''
	if version ~= ARGV[3] then return 0 end
end
local stored = redis.call('HSTRLEN', KEYS[2], ARGV[2])
local bytes = tonumber(redis.call('HGET', KEYS[1], 'stateBytes') or '0')
if stored > 0 then bytes = bytes - (#ARGV[2] + stored - ${VERSION_PREFIX}) end
if ARGV[4] == '' then
	if redis.call('HDEL', KEYS[2], ARGV[2]) == 1 then redis.call('HSET', KEYS[1], 'stateBytes', bytes) end
	return 1
end
bytes = bytes + #ARGV[2] + #ARGV[5]
if bytes > tonumber(ARGV[6]) then return 2 end
local version = string.format('%016.0f', redis.call('HINCRBY', KEYS[1], 'versions', 1))
redis.call('HSET', KEYS[1], 'stateBytes', bytes)
redis.call('HSET', KEYS[2], ARGV[2], version .. ':' .. ARGV[5])
redis.call('PEXPIRE', KEYS[2], kept)
return 1
`;

/**
 * Adds a session to the index of all sessions, and removes up to 100 expired ones.
 * KEYS: sessions by expiry, sessions by id. ARGV: now, expiry, session id, the most sessions or ''.
 * Returns 1; 0 when there are already so many.
 */
export const indexScript = `
for _, expired in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, 100)) do
	redis.call('ZREM', KEYS[1], expired)
	redis.call('ZREM', KEYS[2], expired)
end
if ARGV[4] ~= '' and redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[1], '+inf') >= tonumber(ARGV[4]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[3])
redis.call('PEXPIRE', KEYS[1], ${LONGEST_LIFE_MS})
redis.call('PEXPIRE', KEYS[2], ${LONGEST_LIFE_MS})
return 1
`;

/**
 * Adds a session to the indexes of its principal, and removes sessions that are gone. The keys expire with their last
 * session.
 * KEYS: living by expiry, kept by removal. ARGV: now, expiry, removal, session id, the most living sessions or ''.
 * Returns 1; 0 when there are already so many.
 */
export const indexOwnedScript = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
if ARGV[5] ~= '' and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[5]) then return 0 end
for i = 1, 2 do
	local left = math.max(1, ARGV[i + 1] - ARGV[1])
	redis.call('ZADD', KEYS[i], ARGV[i + 1], ARGV[4])
	if redis.call('PTTL', KEYS[i]) < left then redis.call('PEXPIRE', KEYS[i], left) end
end
return 1
`;

/**
 * Adds a session to the index of a resource, and removes expired ones. The key expires with its last session.
 * KEYS: subscribers. ARGV: now, expiry of the session, session id.
 */
export const indexSubscriberScript = `
local left = math.max(1, ARGV[2] - ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
if redis.call('PTTL', KEYS[1]) < left then redis.call('PEXPIRE', KEYS[1], left) end
`;
