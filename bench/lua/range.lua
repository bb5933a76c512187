-- GET of random ranges: <size of the whole> <size of a range> after "--".
dofile(os.getenv("BENCH_LUA") .. "/done.lua")
local threads = 0
local size, span

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(args)
  size, span = tonumber(args[1]), tonumber(args[2])
  math.randomseed(number * 7919)
end

function request()
  local start = math.random(0, size - span)
  wrk.headers["Range"] = string.format("bytes=%d-%d", start, start + span - 1)
  return wrk.format()
end
