-- Take records, all or none. KEYS[1]: prefix. ARGV: user, kind, id, time, record; and so on.
-- Answers for each, joined by ";": offset, 1 = duplicate, the version of the user's events before and after.
local p, answer = KEYS[1], {}
local head = tonumber(redis.call('GET', p .. 'head') or '0')
local first = head
local version
for i = 1, #ARGV, 5 do
  local user, kind, id, time, record = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local own, name = p .. 'user:' .. user, kind .. ':' .. id
  local known = redis.call('HMGET', own, name, 'version')
  local there, before = known[1], known[2] or ''
  if not there then
    local grave = redis.call('HGET', p .. 'graves', user)
    if grave then
      local barred, offset = grave:match('^(-?%d+) (%d+)$')
      if tonumber(time) <= tonumber(barred) then there = offset end
    end
  end
  if there then
    answer[#answer + 1] = there .. ',1,,'
  else
    head = head + 1
    local offset = string.format('%016.0f', head)
    redis.call('HSET', p .. 'log:' .. string.format('%.0f', math.floor(head / 1000)), offset, user)
    if kind == 'event' then
      version = version or string.format('%.0f', redis.call('INCR', p .. 'version'))
      redis.call('HSET', own, name, offset, offset, record, 'version', version)
      redis.call('ZADD', p .. 'events:' .. user, time, offset)
      if before == '' then redis.call('SADD', p .. 'users', user) end
      answer[#answer + 1] = offset .. ',0,' .. before .. ',' .. version
    else
      redis.call('HSET', own, name, offset, offset, record)
      redis.call('ZADD', p .. 'others:' .. user, time, offset)
      redis.call('SADD', p .. 'others', user)
      answer[#answer + 1] = offset .. ',0,,'
    end
  end
end
if head > first then
  redis.call('SET', p .. 'head', string.format('%.0f', head))
  redis.call('INCRBY', p .. 'records', head - first)
  for block = math.floor((first + 1) / 1000), math.floor(head / 1000) do
    redis.call('ZADD', p .. 'blocks', block, string.format('%.0f', block))
  end
end
return table.concat(answer, ';')
