-- wrk -s refresh.lua URL -- REQUEST TOKENS FIELD
--
-- Refreshes with the tokens in TOKENS, one a line: each answer's FIELD is the next token of its session, and waits for
-- its turn behind the others. In REQUEST, @TOKEN@ is where a token goes, and @LENGTH@ the length of the body.

local head, body, tokens, first, last, field

local function filled(text, slot, value)
  local from, to = text:find(slot, 1, true)
  return from and text:sub(1, from - 1) .. value .. text:sub(to + 1) or text
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local text = file:read("*a")
  file:close()
  local _, ends = text:find("\r\n\r\n", 1, true)
  head, body = text:sub(1, ends), text:sub(ends + 1)
  tokens, first, last = {}, 1, 0
  for line in io.lines(args[2]) do
    last = last + 1
    tokens[last] = line
  end
  field = '"' .. args[3] .. '"%s*:%s*"([^"]+)"'
end

function request()
  local token = assert(tokens[first], "every session was lost")
  tokens[first] = nil
  first = first + 1
  local sent = filled(body, "@TOKEN@", token)
  return filled(filled(head, "@LENGTH@", #sent), "@TOKEN@", token) .. sent
end

function response(status, _, answered)
  local successor = status == 200 and answered:match(field)
  if successor then
    last = last + 1
    tokens[last] = successor
  end
end

done = require("report")
