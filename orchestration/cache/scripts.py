"""Lua scripts that Redis runs atomically, so that no client sees a partial write and a killed one leaves none."""

# Removes a key of another type, which others have written.
_CLEAR = """
local function clear(key, kind)
    local found = redis.call('TYPE', key)['ok']
    if found ~= 'none' and found ~= kind then
        redis.call('UNLINK', key)
    end
end
"""

# KEYS: entry, index, load. ARGV: bytes, milliseconds to live, maximum of entries, sealed load, name, now, NX or ''.
# The known load never decreases while its key lives. It expires with the entries, so that the smaller load ids of a
# restored warehouse are accepted in the end.
#
# The limit counts the names in the index. When it is exceeded, names of expired or evicted entries are removed first.
# Then the least recently requested entries leave, with another hundredth of the limit, so that the next writes need not
# scan the index again. Each owner, the name up to its first colon, keeps as many as any other, or all that it has if
# that is less (decision D156); of what cannot be divided, the most recently requested stays.
WRITE = (
    _CLEAR
    + """
for place, kind in ipairs({'string', 'zset', 'string'}) do
    clear(KEYS[place], kind)
end
local prefix = string.sub(KEYS[1], 1, #KEYS[1] - #ARGV[5])
local function load_in(text)
    local digits = string.match(text or '', '^(%d+) %x+$')
    return digits and #digits <= 18 and tonumber(digits)
end
local known = redis.call('PTTL', KEYS[3]) > 0 and load_in(redis.call('GET', KEYS[3]))
if ARGV[7] == 'NX' then
    redis.call('ZADD', KEYS[2], 'NX', ARGV[6], ARGV[5])
else
    redis.call('ZADD', KEYS[2], ARGV[6], ARGV[5])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if not known or load_in(ARGV[4]) >= known then
    redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[2])
end
local most = tonumber(ARGV[3])
if redis.call('ZCARD', KEYS[2]) <= most then
    return 1
end
local names, alive = redis.call('ZRANGE', KEYS[2], 0, -1), {}
for place = 1, #names do
    if redis.call('EXISTS', prefix .. names[place]) == 0 then
        redis.call('ZREM', KEYS[2], names[place])
    else
        alive[#alive + 1] = names[place]
    end
end
if #alive <= most then
    return 1
end
local counts, owners = {}, {}
for _, name in ipairs(alive) do
    local owner = string.match(name, '^[^:]*')
    if not counts[owner] then
        counts[owner] = 0
        owners[#owners + 1] = owner
    end
    counts[owner] = counts[owner] + 1
end
table.sort(owners, function(a, b) return counts[a] < counts[b] end)
local room, share = most - math.floor(most / 100), 0
for place, owner in ipairs(owners) do
    share = math.floor(room / (#owners - place + 1))
    if counts[owner] > share then
        room = room - share * (#owners - place + 1)
        break
    end
    room = room - counts[owner]
end
local kept = {}
for place = #alive, 1, -1 do
    local owner = string.match(alive[place], '^[^:]*')
    local has = kept[owner] or 0
    if has == share and room > 0 then
        room = room - 1
        kept[owner] = has + 1
    elseif has < share then
        kept[owner] = has + 1
    else
        redis.call('ZREM', KEYS[2], alive[place])
        redis.call('UNLINK', prefix .. alive[place])
    end
end
return 1
"""
)

# KEYS: the lease. ARGV: a token, milliseconds. A lease that lasts longer than any may is not one.
TAKE = """
local left = redis.call('PTTL', KEYS[1])
if left == -1 or left > tonumber(ARGV[2]) then
    redis.call('UNLINK', KEYS[1])
end
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
"""

# KEYS: a lease, or a load. ARGV: the token of its holder, or the value that is not to be believed.
RELEASE = """
if redis.pcall('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
"""

# KEYS: counters. ARGV: each outcome with its number. A counter that is no number begins again.
COUNT = (
    _CLEAR
    + """
clear(KEYS[1], 'hash')
for place = 1, #ARGV, 2 do
    if type(redis.pcall('HINCRBY', KEYS[1], ARGV[place], ARGV[place + 1])) == 'table' then
        redis.call('HSET', KEYS[1], ARGV[place], ARGV[place + 1])
    end
end
return 1
"""
)

# KEYS: requests of a day. ARGV: seconds to keep them, maximum of them, then each question with its number. Numbers that
# no count reaches leave.
COUNT_REQUESTS = (
    _CLEAR
    + """
clear(KEYS[1], 'zset')
for place = 3, #ARGV, 2 do
    redis.call('ZINCRBY', KEYS[1], ARGV[place + 1], ARGV[place])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', 0)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '9007199254740992', '+inf')
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -ARGV[2] - 1)
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""
)
