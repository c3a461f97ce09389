-- The version of a scope.
--   KEYS[1]  where it is
--   ARGV[1]  the version it gets if it has none
--   ARGV[2]  for how many milliseconds it is kept from now on
local version = redis.call('GET', KEYS[1])
if version then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return version
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
