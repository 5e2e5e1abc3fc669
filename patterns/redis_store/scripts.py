"""The transitions of a task record in Redis: each is one Lua script, so each is atomic.

A record is a hash. However many web processes and workers write at once, a finished task never changes, progress never
decreases, and an idempotency key belongs to one task.
"""

from patterns.redis_store.counters import OBSERVE
from patterns.tasks.record import CHANGES_KEPT, HISTORY_SECONDS

#: Lua: adds a change to the history of a task, and notifies the web processes. A list, because a stream of a few
#: entries takes ten times the memory: Redis allocates 4 kB for it.
CHANGED = f"""
local function changed(history, progress, message, channel, task_id)
  local length = redis.call('RPUSH', history, message and progress .. ' ' .. message or progress)
  if length > {CHANGES_KEPT} then redis.call('LTRIM', history, -{CHANGES_KEPT}, -1) end
  redis.call('PUBLISH', channel, task_id)
end
"""

#: KEYS: record, unfinished, prompts, and the idempotency key if there is one. ARGV: task id, now, limit, fingerprint,
#: prompt, then fields and values.
#: Returns {'new'}, {'full', n}, {'reused'} for a key with another body, {'known', task id}, {'sending', task id} while
#: another request sends the message of the task, or {'unsent', task id} if a web process died before it had sent the
#: message: then the caller sends it.
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

#: KEYS: record, unfinished, running, prompts, history. ARGV: task id. Undoes CREATE if the message was not sent.
FORGET = """
local key = redis.call('HGET', KEYS[1], 'key')
if key then redis.call('DEL', key) end
redis.call('DEL', KEYS[1], KEYS[5])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
"""

#: KEYS: record, running, counters, history. ARGV: now, maximum of runs, task id, channel.
#: Returns the number of this run, 0 if the task must not run, or -1 if it has run too often.
START = f"""{OBSERVE}{CHANGED}
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
  redis.call('HINCRBY', KEYS[1], 'version', 1)
  changed(KEYS[4], '0', nil, ARGV[4], ARGV[3])
end
return runs
"""

#: KEYS: record. Undoes the last START. Does not create a record that has expired.
UNDO_START = """
if redis.call('HGET', KEYS[1], 'status') == 'running' then redis.call('HINCRBY', KEYS[1], 'runs', -1) end
"""

#: KEYS: record, history. ARGV: task id, channel, percent, and the message if there is one.
#: Returns 1 if the task is running, otherwise 0.
PROGRESS = f"""{CHANGED}
local known = redis.call('HMGET', KEYS[1], 'status', 'progress', 'message', 'version')
if known[1] ~= 'running' then return 0 end
local progress = tonumber(ARGV[3]) > tonumber(known[2]) and ARGV[3] or known[2]
local message = ARGV[4] or known[3]
if progress ~= known[2] or message ~= known[3] then
  local fields = {{'progress', progress, 'version', (known[4] or 0) + 1}}
  if message then fields[5], fields[6] = 'message', message end
  redis.call('HSET', KEYS[1], unpack(fields))
  changed(KEYS[2], progress, message, ARGV[2], ARGV[1])
end
return 1
"""

#: KEYS: record, unfinished, running, counters, outbox, prompts, history. ARGV: task id, now, ttl, channel, status, then
#: fields and values. Returns {status, seconds that it ran or ''} if this call has finished the task, otherwise {its
#: status, or nil}. A task with a callback URL is added to the outbox in the same step, so no crash can come in between.
FINISH = f"""{OBSERVE}
local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'pending' and status ~= 'running' then return {{status}} end
local known = redis.call('HMGET', KEYS[1], 'started_at', 'created_at')
local began = known[1] or known[2]
local now = tonumber(ARGV[2]) > tonumber(began) and ARGV[2] or began
redis.call('HSET', KEYS[1], 'status', ARGV[5], 'finished_at', now)
redis.call('HINCRBY', KEYS[1], 'version', 1)
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
redis.call('PEXPIRE', KEYS[7], math.min(ttl, {1000 * HISTORY_SECONDS:.0f}))
if key then redis.call('PEXPIRE', key, ttl) end
if redis.call('HEXISTS', KEYS[1], 'callback_url') == 1 then redis.call('ZADD', KEYS[5], ARGV[2], ARGV[1]) end
redis.call('PUBLISH', ARGV[4], ARGV[1])
return {{ARGV[5], known[1] and tostring(now - known[1]) or ''}}
"""

#: KEYS: unfinished, counters. ARGV: a time, prefix of a record's key, limit. Returns the ids of stalled tasks, which
#: have been pending, or in their last run, since before that time: {those that a newer task has overtaken, the others}.
STALLED = """
local overtaken, others = {}, {}
local newest = tonumber(redis.call('HGET', KEYS[2], 'newest_started') or 0)
local tasks = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES')
for i = 1, #tasks, 2 do
  local known = redis.call('HMGET', ARGV[2] .. tasks[i], 'status', 'run_at')
  if known[1] == 'pending' or (known[1] == 'running' and tonumber(known[2]) <= tonumber(ARGV[1])) then
    table.insert(tonumber(tasks[i + 1]) < newest and overtaken or others, tasks[i])
  end
end
return {overtaken, others}
"""

#: KEYS: record, unfinished, prompts. ARGV: task id, now, a time. If the task has stalled since before that time, marks
#: its message as sent now, so that only one worker sends it again, and returns the content: {prompt, callback URL or
#: nil, carrier or nil}. Otherwise returns nil.
CLAIM_STALLED = """
local known = redis.call('HMGET', KEYS[1], 'status', 'run_at', 'callback_url', 'carrier')
local since = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not known[1] or not since or tonumber(since) > tonumber(ARGV[3]) then return nil end
if known[1] == 'running' and tonumber(known[2]) > tonumber(ARGV[3]) then return nil end
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
return {redis.call('HGET', KEYS[3], ARGV[1]), known[3], known[4]}
"""

#: KEYS: record, history. ARGV: the number of a change. Returns the fields and values of the record alternately, and the
#: changes after that number, as far as they are kept.
CHANGES = """
local missing = (redis.call('HGET', KEYS[1], 'version') or 0) - ARGV[1]
return {redis.call('HGETALL', KEYS[1]), missing > 0 and redis.call('LRANGE', KEYS[2], -missing, -1) or {}}
"""
