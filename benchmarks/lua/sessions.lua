-- Opens sessions: initialize, then notifications/initialized, over and over. Run it with as many threads as connections:
-- a thread is one client, which waits for each answer before its next request.
-- args[1]  "keep" leaves every session open; "end" ends it with DELETE, to warm a server up without filling it
-- args[2]  the headers that all requests share
-- args[3]  the headers that follow the session id
-- args[4]  the initialize request
-- args[5]  the notifications/initialized notification
-- Prints RESULT and the numbers of the run as JSON; `completed` counts sessions.

local keep, shared, after, hello, ready, session
local step = "initialize"
completed, wrong = 0, 0

function init(args)
	io.stderr:write('READY\n')
	keep, shared, after, hello, ready = args[1] == "keep", args[2], args[3], args[4], args[5]
end

local function message(verb, headers, body)
	return verb .. " /mcp HTTP/1.1\r\n" .. shared .. headers .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
end

function request()
	if step == "initialize" then return message("POST", "", hello) end
	local headers = "Mcp-Session-Id: " .. session .. "\r\n" .. after
	if step == "initialized" then return message("POST", headers, ready) end
	return message("DELETE", headers, "")
end

local function idFrom(headers)
	for name, value in pairs(headers) do
		if name:lower() == "mcp-session-id" then return value end
	end
end

function response(status, headers)
	if status < 200 or status > 299 then
		wrong = wrong + 1
		step = "initialize"
	elseif step == "initialize" then
		session = idFrom(headers)
		if session then step = "initialized" else wrong = wrong + 1 end
	elseif step == "initialized" then
		completed = completed + 1
		step = keep and "initialize" or "end"
	else
		step = "initialize"
	end
end

local threads = {}

function setup(thread)
	table.insert(threads, thread)
end

function done(summary, latency)
	local sessions, failures = 0, 0
	for _, thread in ipairs(threads) do
		sessions = sessions + thread:get("completed")
		failures = failures + thread:get("wrong")
	end
	-- A status above 399 is in `wrong` already.
	local e = summary.errors
	io.write(string.format(
		'RESULT {"completed":%d,"micros":%d,"p50Micros":%d,"p99Micros":%d,"bytes":%d,"failed":%d}\n',
		sessions, summary.duration, latency:percentile(50), latency:percentile(99), summary.bytes,
		failures + e.connect + e.read + e.write + e.timeout
	))
end
