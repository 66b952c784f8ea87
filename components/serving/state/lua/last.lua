-- A user's newest events. KEYS[1]: prefix. ARGV: user, how many, the version that is known, the greatest offset known
-- (16 digits).
-- Answers the version alone where it is known; else version, offsets in the order of time, and the records beyond what
-- is known as one JSON array.
local p, user, n, known = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[4]
local own = p .. 'user:' .. user
local version = redis.call('HGET', own, 'version') or ''
if version == ARGV[3] then return {version} end
local offsets, new, records = redis.call('ZRANGE', p .. 'events:' .. user, -n, -1), {}, {}
for i = 1, #offsets do
  if offsets[i] > known then new[#new + 1] = offsets[i] end
end
for from = 1, #new, 1000 do
  local found = redis.call('HMGET', own, unpack(new, from, math.min(from + 999, #new)))
  for i = 1, #found do records[#records + 1] = found[i] or 'null' end
end
return {version, table.concat(offsets, ','), '[' .. table.concat(records, ',') .. ']'}
