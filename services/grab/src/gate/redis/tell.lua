-- Hears news of one partition. Order and repetition do not matter, and a packet that is not here hears nothing: whoever
-- rebuilds it reads what was committed. A rebuild is told like news: all claims of the packet, and that these were all.
--
-- KEYS  partition, then per packet: head, bits, ends
-- ARGV  told, fresh era, seq, idle_ms, then per packet: how many news, then each of:
--         opened <user> <share> <seq> <claim_time_us>   a claim
--         taken <share>                                 opened by somebody
--         closed
--         astray                                        the state is worth nothing
--         loaded <load>                                 the rebuild that began with this mark is complete
-- gives per packet: 0 absent, 1 loading, 2 live, 3 exhausted, 4 closed; what has ended is gone from here
--
-- `seq` is the last claim that these news are of; it is noted last, so that a script that failed has not heard of it.

local era, last_seq = era_of(KEYS[1], ARGV[1], ARGV[2])
local seq, idle_ms = ARGV[3], ARGV[4]

local function take(packet, share)
  if redis.call('SETBIT', packet.bits, share, 1) == 0 then
    packet.opened = redis.call('HINCRBY', packet.head, ':opened', 1)
  end
  set_busy(packet, share, 1)
end

local function opened(packet, user, share, claim_seq, time)
  local value = redis.call('HGET', packet.head, user)
  local hold = held(value)
  if value and not hold then
    return -- one claim a user
  end
  redis.call('HSET', packet.head, user, string.format('c:%s:%s:%s', share, claim_seq, time))
  take(packet, share)
  if hold then
    redis.call('ZREM', packet.ends, user)
    release(packet, hold)
  end
end

local at, states = 5, {}
for k = 2, #KEYS, 3 do
  local packet = packet_at(k, era)
  local closed = false
  local news = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, news do
    local kind = ARGV[at]
    if kind == 'opened' then
      if packet then
        opened(packet, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
      end
      at = at + 5
    elseif kind == 'taken' then
      if packet then
        take(packet, ARGV[at + 1])
      end
      at = at + 2
    elseif kind == 'loaded' then
      if packet and packet.load == ARGV[at + 1] then
        redis.call('HDEL', packet.head, ':load')
        packet.load = false
        keep(packet, idle_ms)
      end
      at = at + 2
    else
      closed = closed or kind == 'closed'
      if kind == 'astray' then
        forget(k)
        packet = nil
      end
      at = at + 1
    end
  end
  local state = ABSENT
  if packet then
    if closed then
      state = CLOSED
    elseif packet.load then
      state = LOADING
    elseif packet.opened >= packet.count then
      state = EXHAUSTED
    else
      state = LIVE
    end
    if state == CLOSED or state == EXHAUSTED then
      forget(k)
    end
  end
  states[#states + 1] = state
end

if tonumber(seq) > tonumber(last_seq) then
  redis.call('HSET', KEYS[1], 'seq', seq)
end
return states
