/**
 * Steps on the record of a session that must be atomic, in Lua. The `info` hash holds `record` (JSON of what never changes),
 * `initializeParams` (JSON), `lastUsedAt`, and where they are set `logLevel`, `idleTtlMs`, `endsAt`; `versions` counts writes
 * of state. All keys of a session expire together, by the time that is left on the writer's clock, so that a node whose clock
 * is off cannot end sessions early.
 */

/** expire(keys, now): sets the expiry of a session's keys and returns the milliseconds left. */
const common = `
local function expire(keys, now)
	local fields = redis.call('HMGET', keys[1], 'lastUsedAt', 'idleTtlMs', 'endsAt')
	local left = 90 * 24 * 3600 * 1000
	if fields[2] then left = math.min(left, fields[1] + fields[2] - now) end
	if fields[3] then left = math.min(left, fields[3] - now) end
	left = math.max(1, math.floor(left))
	for i = 1, #keys do redis.call('PEXPIRE', keys[i], left) end
	return left
end
`;

/** KEYS: info. ARGV: now, field, value, … Returns the milliseconds left, or 0 when the id is taken. */
export const createScript = `${common}
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return expire(KEYS, tonumber(ARGV[1]))
`;

/** KEYS: info, uris, state. ARGV: now, fields to remove, then field, value, … Returns the milliseconds left, or 0 when unknown. */
export const updateScript = `${common}
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if ARGV[2] ~= '' then for field in string.gmatch(ARGV[2], '%S+') do redis.call('HDEL', KEYS[1], field) end end
if #ARGV > 2 then redis.call('HSET', KEYS[1], unpack(ARGV, 3)) end
return expire(KEYS, tonumber(ARGV[1]))
`;

/** KEYS: info, uris, state. ARGV: now, usedAt. Returns the milliseconds left (0 when unknown), then the subscribed resources. */
export const touchScript = `${common}
local lastUsedAt = redis.call('HGET', KEYS[1], 'lastUsedAt')
if not lastUsedAt then return { 0 } end
if tonumber(ARGV[2]) > tonumber(lastUsedAt) then redis.call('HSET', KEYS[1], 'lastUsedAt', ARGV[2]) end
local left = expire(KEYS, tonumber(ARGV[1]))
return { left, unpack(redis.call('SMEMBERS', KEYS[2])) }
`;

/** KEYS: info, uris, state. Returns whether it was there (0 or 1), then the resources that it was subscribed to. */
export const deleteScript = `
local uris = redis.call('SMEMBERS', KEYS[2])
local there = redis.call('DEL', KEYS[1])
redis.call('DEL', KEYS[2], KEYS[3])
return { there, unpack(uris) }
`;

/** KEYS: info, uris. ARGV: uri. Returns 1, or 0 when the session is unknown. */
export const subscribeScript = `
local left = redis.call('PTTL', KEYS[1])
if left == -2 then return 0 end
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], math.max(1, left))
return 1
`;

/**
 * Writes or removes one value of state if its version is still the expected one.
 * KEYS: info, state. ARGV: key, expected ('' none, '*' any), '1' to write or '' to remove, value.
 * Returns 1, or 0 when the version is another or the session is unknown.
 */
export const writeStateScript = `
local left = redis.call('PTTL', KEYS[1])
if left == -2 then return 0 end
if ARGV[2] ~= '*' then
	local stored = redis.call('HGET', KEYS[2], ARGV[1])
	local version = stored and string.match(stored, '^(%d+):') or ''
	if version ~= ARGV[2] then return 0 end
end
if ARGV[3] == '' then
	redis.call('HDEL', KEYS[2], ARGV[1])
	return 1
end
local version = redis.call('HINCRBY', KEYS[1], 'versions', 1)
redis.call('HSET', KEYS[2], ARGV[1], version .. ':' .. ARGV[4])
redis.call('PEXPIRE', KEYS[2], math.max(1, left))
return 1
`;
