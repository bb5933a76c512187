-- The last thing of every script here: one line of JSON with what was seen, for bench/load.py.
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'BENCH {"requests":%d,"bytes":%d,"seconds":%.6f,"failed":%d,"refused":%d}\n',
    summary.requests, summary.bytes, summary.duration / 1e6, e.connect + e.read + e.write + e.timeout, e.status))
end
