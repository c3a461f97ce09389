-- Whether this server does what the gate needs: run a script and write. A replica, a full memory or a disk that it cannot
-- dump to refuse this as they would refuse a grab.
--
-- KEYS  partition
-- ARGV  told, fresh era, 1 to begin a new era whatever is remembered

local era = era_of(KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] == '1' then
  era = ARGV[2]
end
redis.call('HSET', KEYS[1], 'era', era)
return 1
