-- wrk -s distinct_users.lua URL -- FILE SLOT FIRST
--
-- Repeats the one request in FILE, and writes another number over SLOT each time: no user comes twice.
-- The numbers have as many digits as SLOT, so that Content-Length stays true.

local head, tail, digits, number

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local text = file:read("*a")
  file:close()
  local first, last = text:find(args[2], 1, true)
  head, tail = text:sub(1, first - 1), text:sub(last + 1)
  digits = "%0" .. #args[2] .. "d"
  number = tonumber(args[3])
end

function request()
  number = number + 1
  return head .. digits:format(number) .. tail
end

done = require("report")
