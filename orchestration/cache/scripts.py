"""Lua scripts that Redis runs atomically, so that no client sees a partial write and a killed one leaves none."""

# KEYS: entry, index, load. ARGV: bytes, milliseconds to live, maximum of entries, load, name, now, NX or ''.
# The limit counts the names in the index. When it is exceeded, names of expired or evicted entries are removed first;
# then the least recently requested entries, with another hundredth of the limit, so that the next writes need not scan
# the index again. The known load never decreases while its key lives. It expires with the entries, so that the smaller
# load ids of a restored warehouse are accepted in the end.
WRITE = """
local prefix = string.sub(KEYS[1], 1, #KEYS[1] - #ARGV[5])
local known = redis.call('PTTL', KEYS[3]) > 0 and tonumber(redis.call('GET', KEYS[3]) or '')
if ARGV[7] == 'NX' then
    redis.call('ZADD', KEYS[2], 'NX', ARGV[6], ARGV[5])
else
    redis.call('ZADD', KEYS[2], ARGV[6], ARGV[5])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if not known or tonumber(ARGV[4]) >= known then
    redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[2])
end
local most = tonumber(ARGV[3])
if redis.call('ZCARD', KEYS[2]) > most then
    local names = redis.call('ZRANGE', KEYS[2], 0, -1)
    for first = 1, #names, 1000 do
        local last, entries = math.min(first + 999, #names), {}
        for place = first, last do
            entries[#entries + 1] = prefix .. names[place]
        end
        if redis.call('EXISTS', unpack(entries)) < #entries then
            for place = first, last do
                if redis.call('EXISTS', prefix .. names[place]) == 0 then
                    redis.call('ZREM', KEYS[2], names[place])
                end
            end
        end
    end
    local over = redis.call('ZCARD', KEYS[2]) - most
    if over > 0 then
        local coldest = redis.call('ZPOPMIN', KEYS[2], over + math.floor(most / 100))
        for place = 1, #coldest, 2 do
            redis.call('UNLINK', prefix .. coldest[place])
        end
    end
end
return 1
"""

# KEYS: the lease. ARGV: the token of its holder.
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
"""
