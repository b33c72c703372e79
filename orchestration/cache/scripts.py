"""What Redis does in one step, in its own language: nobody sees, or leaves behind, half of it."""

# KEYS: the entry, the index, the load. ARGV: bytes, milliseconds to live, the most entries, load, name, now, NX or ''.
# The index is what is counted. A name in it whose entry has expired or was evicted does not count, so when there seem
# to be too many, those go first; only then the coldest, and with them a hundredth of all: the next writes find room
# without looking at every name again. The known load never goes back while it lives; it lives as
# long as an entry, so that a warehouse which was restored, and counts its loads anew, is believed again.
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

# KEYS: the lease. ARGV: the token of whoever took it.
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
"""
