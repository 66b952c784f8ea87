-- Drop what is older than a time, of some users. KEYS[1]: prefix. ARGV: time, last offset, how many at most, users.
-- Answers how many were dropped; where that is as many as were asked for, there may be more.
local p, before, last, most = KEYS[1], '(' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local left, blocks = most, {}
for i = 4, #ARGV do
  local user = ARGV[i]
  local own = p .. 'user:' .. user
  for _, kind in ipairs({'events', 'others'}) do
    local set = p .. kind .. ':' .. user
    local had, kept = left, 0
    while left > 0 do
      local old = redis.call('ZRANGEBYSCORE', set, '-inf', before, 'LIMIT', kept, left)
      if #old == 0 then break end
      for _, offset in ipairs(old) do
        if tonumber(offset) > last then
          kept = kept + 1
        else
          local row = cjson.decode(redis.call('HGET', own, offset))
          local block = string.format('%.0f', math.floor(tonumber(offset) / 1000))
          redis.call('HDEL', own, offset, row[1] .. ':' .. row[2])
          redis.call('HDEL', p .. 'log:' .. block, offset)
          redis.call('ZREM', set, offset)
          blocks[block] = true
          left = left - 1
        end
      end
    end
    if left < had then
      local none = redis.call('EXISTS', set) == 0
      if none then redis.call('SREM', p .. (kind == 'events' and 'users' or 'others'), user) end
      if none and kind == 'events' then
        redis.call('HDEL', own, 'version')
      elseif kind == 'events' then
        redis.call('HSET', own, 'version', string.format('%.0f', redis.call('INCR', p .. 'version')))
      end
    end
  end
end
if left < most then redis.call('INCRBY', p .. 'records', left - most) end
for block in pairs(blocks) do
  if redis.call('EXISTS', p .. 'log:' .. block) == 0 then redis.call('ZREM', p .. 'blocks', block) end
end
return most - left
