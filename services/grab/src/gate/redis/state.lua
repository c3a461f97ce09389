-- The state of live packets, and the steps that every script here is made of. All keys of a call carry one hash tag, that
-- of their partition, and come with the call; none is made here.
--
--   partition  hash    era, seq: which life of Redis' memory this is, and up to which claim it was told
--   head       hash    :era :count :opened :low, while it is being rebuilt :load, and per user
--                      h:<share>:<lapse_us>             a share held
--                      c:<share>:<seq>:<claim_time_us>  a share opened
--   bits       string  two planes of one bit a share: opened; busy, which is opened or held
--   ends       zset    per user who holds a share, when that goes back to the pool, in microseconds
--
-- Users are of A-Z a-z 0-9 _ -, so that no user is a field of the head. Microseconds fit a double for 250 years more.
-- Numbers become text by redis.call or '%.0f', never by '..', which rounds them.
--
-- Redis undoes nothing when a script fails half-way, so each step leaves something that is at worst a share held by
-- nobody. A full memory fails a script at its first write (if that could grow), so that such a call changed nothing.

local ABSENT, LOADING, LIVE, EXHAUSTED, CLOSED = 0, 1, 2, 3, 4

-- The era of this memory, and the last claim that it heard of. A caller that told it of a later claim than it remembers
-- knows more than it does: it was emptied, restored, or is a replica that lags. Then a new era begins, and every packet
-- of the partition is rebuilt when it is asked for.
local function era_of(partition, told, fresh)
  local era, seq = unpack(redis.call('HMGET', partition, 'era', 'seq'))
  if era and tonumber(seq) >= tonumber(told) then
    return era, seq
  end
  redis.call('HSET', partition, 'era', fresh, 'seq', told)
  return fresh, told
end

local HEADER = 5

-- The packet whose keys begin at KEYS[k], and what its head has: the header, then something or nothing for each of the
-- users. Nil if the packet is not here, of another era, or lost its bits.
local function packet_at(k, era, users)
  local head, bits = KEYS[k], KEYS[k + 1]
  local found = redis.call('HMGET', head, ':era', ':load', ':count', ':opened', ':low', unpack(users or {}))
  local its_era, load, count, opened, low = unpack(found, 1, HEADER)
  if its_era ~= era then
    return nil
  end
  local bytes = math.ceil(count / 8)
  if redis.call('STRLEN', bits) ~= 2 * bytes then
    return nil
  end
  return {
    head = head, bits = bits, ends = KEYS[k + 2],
    load = load, count = tonumber(count), opened = tonumber(opened), low = tonumber(low), bytes = bytes,
  }, found
end

local function forget(k)
  redis.call('DEL', KEYS[k], KEYS[k + 1], KEYS[k + 2])
end

-- Keeps a packet for another while: longer than any hold lives, so that forgetting it loses nothing that SQL has not.
local function keep(packet, idle_ms)
  redis.call('PEXPIRE', packet.head, idle_ms)
  redis.call('PEXPIRE', packet.bits, idle_ms)
  redis.call('PEXPIRE', packet.ends, idle_ms)
end

local function is_opened(packet, share)
  return redis.call('GETBIT', packet.bits, share) == 1
end

local function set_busy(packet, share, busy)
  redis.call('SETBIT', packet.bits, packet.bytes * 8 + share, busy)
end

-- Gives a share back, unless it was opened: by whom, does not matter.
local function release(packet, share)
  if is_opened(packet, share) then
    return
  end
  set_busy(packet, share, 0)
  local byte = math.floor(share / 8)
  if byte < packet.low then
    packet.low = byte
    redis.call('HSET', packet.head, ':low', byte)
  end
end

-- The share that a user holds and when the hold lapses, or nil.
local function held(value)
  if not value then
    return nil
  end
  local share, lapse = string.match(value, '^h:(%d+):(%d+)$')
  return tonumber(share), tonumber(lapse)
end
