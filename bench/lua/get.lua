-- Plain GET of one URL.
dofile(os.getenv("BENCH_LUA") .. "/done.lua")
