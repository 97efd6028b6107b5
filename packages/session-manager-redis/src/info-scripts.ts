/**
 * Steps on the record of a session that must be atomic, in Lua. The `info` hash holds `record` (JSON of what never changes),
 * `initializeParams` (JSON), `lastUsedAt`, and where they are set `logLevel`, `idleTtlMs`, `endsAt`; `versions` counts writes
 * of state. All keys of a session expire together, by the time that is left on the writer's clock, so that a node whose clock
 * is off cannot end sessions early.
 */

/** A session that never expires is dropped after so long without a touch: every key expires. */
const LONGEST_LIFE_MS = 90 * 24 * 60 * 60 * 1000;

/**
 * left(info, now): the milliseconds that a session has left; 0 when it is unknown or has expired. expire(keys, now): the same,
 * and sets the expiry of the session's keys.
 */
const common = `
local function number(text)
	if not text then return math.huge end
	return tonumber(text) or error({ err = 'CORRUPT a time of a session is no number' })
end
local function left(info, now)
	local fields = redis.call('HMGET', info, 'lastUsedAt', 'idleTtlMs', 'endsAt')
	if not fields[1] then return 0 end
	local usedAt, idle, ends = number(fields[1]), number(fields[2]), number(fields[3])
	return math.max(0, math.floor(math.min(${LONGEST_LIFE_MS}, usedAt + idle - now, ends - now)))
end
local function expire(keys, now)
	local ms = left(keys[1], now)
	for i = 1, #keys do redis.call('PEXPIRE', keys[i], math.max(1, ms)) end
	return ms
end
`;

/** KEYS: info, uris, state. ARGV: now, field, value, … Returns the milliseconds left, or 0 when the id is taken. */
export const createScript = `${common}
local now = tonumber(ARGV[1])
if left(KEYS[1], now) > 0 then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return math.max(1, expire({ KEYS[1] }, now))
`;

/** KEYS: info, uris, state. ARGV: now, fields to remove, then field, value, … Returns 1, or 0 when unknown. */
export const updateScript = `${common}
local now = tonumber(ARGV[1])
if left(KEYS[1], now) == 0 then return 0 end
for field in string.gmatch(ARGV[2], '%S+') do redis.call('HDEL', KEYS[1], field) end
if #ARGV > 2 then redis.call('HSET', KEYS[1], unpack(ARGV, 3)) end
expire(KEYS, now)
return 1
`;

/** KEYS: info, uris, state. ARGV: now, usedAt. Returns the milliseconds left (0 when unknown) and the subscribed resources. */
export const touchScript = `${common}
local now = tonumber(ARGV[1])
if left(KEYS[1], now) == 0 then return { 0, {} } end
if tonumber(ARGV[2]) > tonumber(redis.call('HGET', KEYS[1], 'lastUsedAt')) then
	redis.call('HSET', KEYS[1], 'lastUsedAt', ARGV[2])
end
return { expire(KEYS, now), redis.call('SMEMBERS', KEYS[2]) }
`;

/** KEYS: info, uris, state. ARGV: now. Returns whether it was there (0 or 1) and the resources that it was subscribed to. */
export const deleteScript = `${common}
local there = left(KEYS[1], tonumber(ARGV[1])) > 0 and 1 or 0
local uris = redis.call('SMEMBERS', KEYS[2])
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return { there, uris }
`;

/** KEYS: info, uris. ARGV: now, uri. Returns 1, or 0 when the session is unknown. */
export const subscribeScript = `${common}
local ms = left(KEYS[1], tonumber(ARGV[1]))
if ms == 0 then return 0 end
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ms)
return 1
`;

/**
 * Writes or removes one value of state if its version is still the expected one.
 * KEYS: info, state. ARGV: now, key, expected ('' none, '*' any), '1' to write or '' to remove, value.
 * Returns 1, or 0 when the version is another or the session is unknown.
 */
export const writeStateScript = `${common}
local ms = left(KEYS[1], tonumber(ARGV[1]))
if ms == 0 then return 0 end
if ARGV[3] ~= '*' then
	local stored = redis.call('HGET', KEYS[2], ARGV[2])
	local version = stored and string.match(stored, '^(%d+):') or ''
	if version ~= ARGV[3] then return 0 end
end
if ARGV[4] == '' then
	redis.call('HDEL', KEYS[2], ARGV[2])
	return 1
end
local version = redis.call('HINCRBY', KEYS[1], 'versions', 1)
redis.call('HSET', KEYS[2], ARGV[2], version .. ':' .. ARGV[5])
redis.call('PEXPIRE', KEYS[2], ms)
return 1
`;

/**
 * Enters a session in the index of all sessions, and takes out some that have expired.
 * KEYS: sessions by expiry, sessions by id. ARGV: now, when it expires, session id.
 */
export const indexScript = `
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[3])
for _, expired in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, 100)) do
	redis.call('ZREM', KEYS[1], expired)
	redis.call('ZREM', KEYS[2], expired)
end
redis.call('PEXPIRE', KEYS[1], ${LONGEST_LIFE_MS})
redis.call('PEXPIRE', KEYS[2], ${LONGEST_LIFE_MS})
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
