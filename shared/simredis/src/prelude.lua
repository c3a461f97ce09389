-- What a script finds around itself, made once for all: the environment of every script, which it can read and not change.
--
-- Given: what asks a command and returns its reply.

local ask = ...

local function call(...)
  local reply = ask(...)
  if type(reply) == 'table' and reply.err then
    error(reply)
  end
  return reply
end

-- A failed call is a text to whoever catches it.
local function caught(went_well, fault, ...)
  if not went_well and type(fault) == 'table' and fault.err then
    return false, fault.err
  end
  return went_well, fault, ...
end

local world = {
  redis = { call = call, pcall = function(...) return ask(...) end },
  pcall = function(...) return caught(pcall(...)) end,
  KEYS = {}, ARGV = {},
}
for _, name in ipairs {
  'assert', 'error', 'getmetatable', 'ipairs', 'math', 'next', 'pairs', 'rawequal', 'rawget', 'rawset', 'select',
  'setmetatable', 'string', 'table', 'tonumber', 'tostring', 'type', 'unpack', 'xpcall',
} do
  world[name] = _G[name]
end

setmetatable(world, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
})
local environment = setmetatable({}, {
  __index = world,
  __newindex = function()
    error('Attempt to modify a readonly table', 2)
  end,
})

-- Runs a script; whether it ended well, and what it gave or failed with.
local function run(script, keys, argv)
  world.KEYS, world.ARGV = keys, argv
  return pcall(script)
end

return environment, run
