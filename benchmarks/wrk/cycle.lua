-- wrk -s cycle.lua URL -- FILE
--
-- Repeats the requests in FILE, one after the other and from the start again.
-- Each stands behind a line with its length in bytes.

local requests, next_one = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for length in function() return file:read("*l") end do
    requests[#requests + 1] = file:read(tonumber(length))
  end
  file:close()
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end

done = require("report")
