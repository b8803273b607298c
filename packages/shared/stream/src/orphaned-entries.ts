/**
 * Lua functions that find orphaned entries: delivered once, still in the stream, and pending at no consumer. Nobody reads
 * such an entry any more. XGROUP DELCONSUMER, XGROUP SETID, a foreign XACK and a copied group leave them behind.
 *
 * `orphans` walks the gaps between pending entries, so it copies no entry that is pending or not delivered yet. It returns
 * the entries, and where to continue; `''` when all were checked.
 */
export const ORPHAN_FUNCTIONS = `
local function fieldsOf(list)
  local fields = {}
  for at = 1, #list, 2 do fields[list[at]] = list[at + 1] end
  return fields
end
local function groupOf(stream, name)
  for _, each in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = fieldsOf(each)
    if group['name'] == name then return group end
  end
end
local function orphans(stream, name, last, at, most)
  local found = {}
  local function search(to)
    for _, entry in ipairs(redis.call('XRANGE', stream, at, to, 'COUNT', most - #found)) do found[#found + 1] = entry end
    return #found == most
  end
  for page = 1, 10 do
    local pending = redis.call('XPENDING', stream, name, at, last, 1000)
    for _, held in ipairs(pending) do
      if search('(' .. held[1]) then return found, '(' .. found[most][1] end
      at = '(' .. held[1]
    end
    if #pending < 1000 then
      if search(last) then return found, '(' .. found[most][1] end
      return found, ''
    end
  end
  return found, at
end`;
