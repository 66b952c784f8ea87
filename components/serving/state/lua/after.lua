-- The log from an offset on. KEYS[1]: prefix. ARGV: offset, how many.
-- Answers offsets, and their records as one JSON array.
local p, from, left = KEYS[1], tonumber(ARGV[1]) + 1, tonumber(ARGV[2])
local head = tonumber(redis.call('GET', p .. 'head') or '0')
local offsets, records = {}, {}
while left > 0 and from <= head do
  local there = redis.call('ZRANGEBYSCORE', p .. 'blocks', math.floor(from / 1000), '+inf', 'LIMIT', 0, 1)[1]
  if not there then break end
  from = math.max(from, tonumber(there) * 1000)
  local names = {}
  for offset = from, math.min(from + left - 1, tonumber(there) * 1000 + 999, head) do
    names[#names + 1] = string.format('%016.0f', offset)
  end
  if #names == 0 then break end
  for i, user in ipairs(redis.call('HMGET', p .. 'log:' .. there, unpack(names))) do
    if user then
      offsets[#offsets + 1] = names[i]
      records[#records + 1] = redis.call('HGET', p .. 'user:' .. user, names[i])
        or redis.call('HGET', p .. 'tombstones', names[i]) or 'null'
      left = left - 1
    end
  end
  from = from + #names
end
return {table.concat(offsets, ','), '[' .. table.concat(records, ',') .. ']'}
