-- Begins to rebuild one packet: makes an empty state that hears news and answers nobody, with a mark. It becomes live only
-- if the mark is still there when all claims have been told (`loaded`): then it has been there since before they were
-- read, and so has heard of everything that was committed since.
--
-- Who finds that another has begun goes on with that one's mark: it was there before its own reading as well. Nobody
-- waits for anybody who may have died.
--
-- KEYS  partition, head, bits, ends
-- ARGV  told, fresh era, fresh mark, count of shares, how long a rebuild may take in ms
-- gives the mark; nil if the packet is live

local era = era_of(KEYS[1], ARGV[1], ARGV[2])
local load, count, load_ms = ARGV[3], tonumber(ARGV[4]), ARGV[5]

local packet = packet_at(2, era)
if packet then
  if packet.load then
    keep(packet, load_ms)
  end
  return packet.load
end

if redis.call('EXISTS', KEYS[2], KEYS[3], KEYS[4]) > 0 then
  forget(2)
end
local bytes = math.ceil(count / 8)
redis.call('HSET', KEYS[2], ':era', era, ':load', load, ':count', count, ':opened', 0, ':low', 0)
redis.call('PEXPIRE', KEYS[2], load_ms)
redis.call('SETRANGE', KEYS[3], 2 * bytes - 1, '\0')
redis.call('PEXPIRE', KEYS[3], load_ms)
-- What the last byte has beyond the count is no share: it is busy for ever.
for share = count, 8 * bytes - 1 do
  redis.call('SETBIT', KEYS[3], 8 * bytes + share, 1)
end
return load
