"""The changes of a task record in Redis, each one atomic.

A record is a hash. Its rules hold however many web processes and workers write at once, because each change
is one Lua script: a finished record never changes, progress never goes back, a key gives one task.
"""

from patterns.redis_store.counters import OBSERVE

#: KEYS: record, unfinished, prompts, and the idempotency key if there is one. ARGV: task id, now, limit, fingerprint,
#: prompt, then pairs of field and value.
#: Returns {'new'}, {'full', n}, {'reused'}, {'known', task id}, {'sending', task id} for a known task that another
#: request is handing over just now, or {'unsent', task id} for one whose web process died before it had handed the
#: task over: the caller hands it over again.
CREATE = """
if KEYS[4] then
  local known = redis.call('HMGET', KEYS[4], 'task_id', 'fingerprint', 'sent', 'at')
  if known[1] then
    if known[2] ~= ARGV[4] then return {'reused'} end
    if known[3] then return {'known', known[1]} end
    if tonumber(ARGV[2]) - tonumber(known[4]) < 5 then return {'sending', known[1]} end
    redis.call('HSET', KEYS[4], 'at', ARGV[2])
    return {'unsent', known[1]}
  end
end
local unfinished = redis.call('ZCARD', KEYS[2])
if unfinished >= tonumber(ARGV[3]) then return {'full', unfinished} end
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[5])
if KEYS[4] then
  redis.call('HSET', KEYS[4], 'task_id', ARGV[1], 'fingerprint', ARGV[4], 'at', ARGV[2])
  redis.call('HSET', KEYS[1], 'key', KEYS[4])
end
return {'new'}
"""

#: KEYS: record, unfinished, running, prompts. ARGV: task id. Undoes CREATE for a task that could not be handed over.
FORGET = """
local key = redis.call('HGET', KEYS[1], 'key')
if key then redis.call('DEL', key) end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
"""

#: KEYS: record, running, counters. ARGV: now, the most runs, task id.
#: Returns the number of this run, 0 when it must not run, -1 for too many.
START = f"""{OBSERVE}
local status, created_at = unpack(redis.call('HMGET', KEYS[1], 'status', 'created_at'))
if status ~= 'pending' and status ~= 'running' then return 0 end
local runs = redis.call('HINCRBY', KEYS[1], 'runs', 1)
if runs > tonumber(ARGV[2]) then return -1 end
redis.call('HSET', KEYS[1], 'status', 'running', 'run_at', ARGV[1])
local now = tonumber(ARGV[1]) > tonumber(created_at) and ARGV[1] or created_at
if redis.call('HSETNX', KEYS[1], 'started_at', now) == 1 then
  redis.call('SADD', KEYS[2], ARGV[3])
  observe(KEYS[3], 'queue_wait', now - created_at)
  local newest = tonumber(redis.call('HGET', KEYS[3], 'newest_started') or 0)
  if tonumber(created_at) > newest then redis.call('HSET', KEYS[3], 'newest_started', created_at) end
end
return runs
"""

#: KEYS: record. Takes the last START back. A record that has gone meanwhile stays gone.
PUT_BACK = """
if redis.call('HGET', KEYS[1], 'status') == 'running' then redis.call('HINCRBY', KEYS[1], 'runs', -1) end
"""

#: KEYS: record. ARGV: percent. Returns 1 while the task is wanted, 0 when it has ended.
PROGRESS = """
if redis.call('HGET', KEYS[1], 'status') ~= 'running' then return 0 end
if tonumber(ARGV[1]) > tonumber(redis.call('HGET', KEYS[1], 'progress')) then
  redis.call('HSET', KEYS[1], 'progress', ARGV[1])
end
return 1
"""

#: KEYS: record, unfinished, running, counters, outbox, prompts. ARGV: task id, now, ttl, channel, status, then pairs of
#: field and value. Returns {status, seconds that it ran, or nothing} if this has ended it; else {the status that it
#: has, or nil}. What is to be delivered is put into the outbox in the same moment: no crash can come in between.
FINISH = f"""{OBSERVE}
local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'pending' and status ~= 'running' then return {{status}} end
local known = redis.call('HMGET', KEYS[1], 'started_at', 'created_at')
local began = known[1] or known[2]
local now = tonumber(ARGV[2]) > tonumber(began) and ARGV[2] or began
redis.call('HSET', KEYS[1], 'status', ARGV[5], 'finished_at', now)
if #ARGV > 5 then redis.call('HSET', KEYS[1], unpack(ARGV, 6)) end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[6], ARGV[1])
local code = redis.call('HGET', KEYS[1], 'error_code') or ''
redis.call('HINCRBY', KEYS[4], 'finished:' .. ARGV[5] .. ':' .. code, 1)
if known[1] then observe(KEYS[4], 'execution', now - known[1]) end
local ttl = math.ceil(tonumber(ARGV[3]) * 1000)
local key = redis.call('HGET', KEYS[1], 'key')
redis.call('PEXPIRE', KEYS[1], ttl)
if key then redis.call('PEXPIRE', key, ttl) end
if redis.call('HEXISTS', KEYS[1], 'callback_url') == 1 then redis.call('ZADD', KEYS[5], ARGV[2], ARGV[1]) end
redis.call('PUBLISH', ARGV[4], ARGV[1])
return {{ARGV[5], known[1] and tostring(now - known[1]) or ''}}
"""

#: KEYS: unfinished, counters. ARGV: a moment, prefix of a record's key, most. Returns the ids of those tasks that have
#: waited, or have been in their last run, since before that moment: of those that a newer task has overtaken, and of
#: the others.
UNMOVED = """
local overtaken, others = {}, {}
local newest = tonumber(redis.call('HGET', KEYS[2], 'newest_started') or 0)
local found = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES')
for i = 1, #found, 2 do
  local known = redis.call('HMGET', ARGV[2] .. found[i], 'status', 'run_at')
  if known[1] == 'pending' or (known[1] == 'running' and tonumber(known[2]) <= tonumber(ARGV[1])) then
    table.insert(tonumber(found[i + 1]) < newest and overtaken or others, found[i])
  end
end
return {overtaken, others}
"""

#: KEYS: record, unfinished, prompts. ARGV: task id, now, a moment. Returns what its message said, {prompt, callback URL
#: or nil, what continues the trace or nil}, if the task has not moved since before that moment. It counts as sent now,
#: so of many workers one sends it. Returns nil for all others.
SEND_AGAIN = """
local known = redis.call('HMGET', KEYS[1], 'status', 'run_at', 'callback_url', 'carrier')
local since = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not known[1] or not since or tonumber(since) > tonumber(ARGV[3]) then return nil end
if known[1] == 'running' and tonumber(known[2]) > tonumber(ARGV[3]) then return nil end
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
return {redis.call('HGET', KEYS[3], ARGV[1]), known[3], known[4]}
"""
