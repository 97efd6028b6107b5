/**
 * Steps on the record of a session that must be atomic, in Lua. The `info` hash holds `record` (JSON of what never changes),
 * `initializeParams` (JSON), `lastUsedAt`, where they are set `principal` and what else may change, and once the session was ended
 * `endedAt` and `endReason`; `versions` counts writes of state, `stateBytes` its size. All keys of a session expire together, by the time that is left on the writer's clock, so that a node whose clock
 * is off cannot end sessions early.
 */

/** A session that never expires is dropped after so long without a touch: every key expires. */
const LONGEST_LIFE_MS = 90 * 24 * 60 * 60 * 1000;

/**
 * life(info, now): the milliseconds that a session has left (0 when it is unknown, has expired or was ended), and those until
 * nothing of it is kept. expire(keys, now): the same, and sets the expiry of the session's keys.
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

/** KEYS: info. ARGV: now. Returns the milliseconds that the session has left; 0 when it is unknown. */
export const leftScript = `${common}
return (life(KEYS[1], tonumber(ARGV[1])))
`;

/** KEYS: info, uris, state. ARGV: now, field, value, … Returns the milliseconds left and kept, or 0 when the id is taken. */
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
 * KEYS: info, uris, state. ARGV: now, status that it must have or '', fields to remove, then field, value, … Returns 1, or 0
 * when the session is unknown or its status another.
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
 * KEYS: info, uris, state. ARGV: now, usedAt. Returns the milliseconds left (0 when unknown) and kept, the principal or nil, and
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
 * KEYS: info, uris, state. ARGV: now. Returns whether anything was there (0 or 1), the principal or nil, and the resources that
 * the session was subscribed to.
 */
export const deleteScript = `${common}
local _, kept = life(KEYS[1], tonumber(ARGV[1]))
local principal = redis.call('HGET', KEYS[1], 'principal')
local uris = redis.call('SMEMBERS', KEYS[2])
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return { kept > 0 and 1 or 0, principal, uris }
`;

/**
 * KEYS: info, uris, state. ARGV: now, when it ended, why. Returns whether it was known (0 or 1), the principal or nil, the
 * resources that it was subscribed to, and the milliseconds for which it is kept.
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

/** KEYS: info, uris. ARGV: now, uri. Returns 1, or 0 when the session is unknown. */
export const subscribeScript = `${common}
local ms = life(KEYS[1], tonumber(ARGV[1]))
if ms == 0 then return 0 end
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ms)
return 1
`;

/** KEYS: info, uris. ARGV: now, uri. Returns 1, or 0 when there was no such subscription. */
export const unsubscribeScript = `${common}
if life(KEYS[1], tonumber(ARGV[1])) == 0 then return 0 end
return redis.call('SREM', KEYS[2], ARGV[2])
`;

/** KEYS: info, uris. ARGV: now. Returns the resources that the session is subscribed to. */
export const subscribedScript = `${common}
if life(KEYS[1], tonumber(ARGV[1])) == 0 then return {} end
return redis.call('SMEMBERS', KEYS[2])
`;

/** KEYS: info, state. ARGV: now, key. Returns what is stored, or nil. */
export const readStateScript = `${common}
local _, kept = life(KEYS[1], tonumber(ARGV[1]))
return kept > 0 and redis.call('HGET', KEYS[2], ARGV[2])
`;

/** KEYS: info, state. ARGV: now. Returns key, what is stored, … */
export const listStateScript = `${common}
local _, kept = life(KEYS[1], tonumber(ARGV[1]))
return kept > 0 and redis.call('HGETALL', KEYS[2]) or {}
`;

/** What stands before a value: its version, always as long. */
const VERSION_PREFIX = 17;

/**
 * Writes or removes one value of state if its version is still the expected one.
 * KEYS: info, state. ARGV: now, key, expected ('' none, '*' any), '1' to write or '' to remove, value, most bytes of state.
 * Returns 1; 0 when the version is another or the session is unknown; 2 when the state would be too large.
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
 * Enters a session in the index of all sessions, and takes out some that have expired.
 * KEYS: sessions by expiry, sessions by id. ARGV: now, when it expires, session id, how many there may be or ''.
 * Returns 1, or 0 when there are so many already.
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
 * Enters a session in the indexes of its principal, and takes out those that are gone. The keys expire with the last.
 * KEYS: living by expiry, kept by when nothing is left. ARGV: now, when it expires, when nothing is left, session id, how many
 * may live or ''. Returns 1, or 0 when so many do already.
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
 * Enters a session in the index of a resource, and takes out those that have expired. The key expires with its last session.
 * KEYS: subscribers. ARGV: now, when the session expires, session id.
 */
export const indexSubscriberScript = `
local left = math.max(1, ARGV[2] - ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
if redis.call('PTTL', KEYS[1]) < left then redis.call('PEXPIRE', KEYS[1], left) end
`;
