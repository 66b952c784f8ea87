-- Erase everything of a user and leave a tombstone. KEYS[1]: prefix. ARGV: user, JSON of the user, now in microseconds.
-- Answers the tombstone's offset and time.
local p, user, time = KEYS[1], ARGV[1], ARGV[3]
local gone, blocks = 0, {}
for _, set in ipairs({p .. 'events:' .. user, p .. 'others:' .. user}) do
  local newest = redis.call('ZRANGE', set, -1, -1, 'WITHSCORES')[2]
  if newest and tonumber(newest) > tonumber(time) then time = string.format('%.0f', tonumber(newest)) end
  for _, offset in ipairs(redis.call('ZRANGE', set, 0, -1)) do
    local block = string.format('%.0f', math.floor(tonumber(offset) / 1000))
    gone = gone + redis.call('HDEL', p .. 'log:' .. block, offset)
    blocks[block] = true
  end
end
redis.call('DEL', p .. 'events:' .. user, p .. 'others:' .. user, p .. 'user:' .. user)
redis.call('SREM', p .. 'users', user)
redis.call('SREM', p .. 'others', user)
local grave = redis.call('HGET', p .. 'graves', user)
local barred = grave and grave:match('^(-?%d+) ')
if barred and tonumber(barred) > tonumber(time) then time = barred end
local head = redis.call('INCR', p .. 'head')
local offset = string.format('%016.0f', head)
local block = string.format('%.0f', math.floor(head / 1000))
local record = string.format('["tombstone","tombstone-%.0f",%s,%s,%s,{}]', head, ARGV[2], time, ARGV[3])
redis.call('HSET', p .. 'log:' .. block, offset, user)
redis.call('HSET', p .. 'tombstones', offset, record)
redis.call('ZADD', p .. 'blocks', block, block)
redis.call('HSET', p .. 'graves', user, time .. ' ' .. string.format('%.0f', head))
redis.call('INCRBY', p .. 'records', 1 - gone)
for emptied in pairs(blocks) do
  if redis.call('EXISTS', p .. 'log:' .. emptied) == 0 then redis.call('ZREM', p .. 'blocks', emptied) end
end
return {offset, time}
