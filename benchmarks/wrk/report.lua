-- What every script says at its end: one line of JSON. Latency comes in microseconds and is told in milliseconds.

return function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests_per_second": %.1f, "p50_ms": %.3f, "p90_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f, ' ..
      '"requests": %d, "refused": %d, "connection_errors": %d, "timeouts": %d}\n',
    summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    summary.requests, errors.status, errors.connect + errors.read + errors.write, errors.timeout
  ))
end
