-- Sends POST tools/call to one session after another; no JSON-RPC id is used twice in a run.
-- args[1]   what to check of every answer: "nothing" (timed runs), "text" (the echoed text), "id" (text, and an id that waits for its answer)
-- args[2]   the first id
-- args[3]   the text that is echoed
-- args[4]   what follows the id in every request
-- args[5..] what precedes the id: one whole request start for each session
-- Prints RESULT and the numbers of the run as JSON.

local starts, ending, count, turn, id
local waiting = {}
wrong = 0

function init(args)
	io.stderr:write('READY\n')
	starts = { unpack(args, 5) }
	ending, count, turn, id = args[4], #starts, 0, tonumber(args[2])
	-- wrk parses answers for Lua as soon as a function of this name exists, so timed runs must not have it.
	if args[1] ~= "nothing" then response = checker(args[1], args[3]) end
end

function checker(what, text)
	return function(status, headers, body)
		local right = status == 200 and body:find(text, 1, true)
		if right and what == "id" then
			local answered = body:match('"id":(%d+)')
			right = answered and waiting[answered]
			waiting[answered or ""] = nil
		end
		if not right then wrong = wrong + 1 end
	end
end

function request()
	turn = turn % count + 1
	id = id + 1
	if response then waiting[tostring(id)] = true end
	return starts[turn] .. id .. ending
end

local threads = {}

function setup(thread)
	table.insert(threads, thread)
end

function done(summary, latency)
	local mismatches = 0
	for _, thread in ipairs(threads) do mismatches = mismatches + thread:get("wrong") end
	local e = summary.errors
	io.write(string.format(
		'RESULT {"completed":%d,"micros":%d,"p50Micros":%d,"p99Micros":%d,"bytes":%d,"failed":%d}\n',
		summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), summary.bytes,
		mismatches + e.connect + e.read + e.write + e.timeout + e.status
	))
end
