"""Submit parameters: durations, moments and words behind a function's name (protocol section 12)."""

cimport cython
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset, strlen

from gearfast.protocol.values cimport begins_with, is_word, read_count, read_duration, read_moment

ctypedef bint (*Reader)(Slice value, Parameters* into) noexcept nogil

cdef struct Key:
    const char* name
    Given bit
    Reader read
    const char* allowed

cdef enum:
    SHOWN = 60                # bytes of what was read that are repeated

ctypedef const char* Text

cdef Text[3] PRIORITY_WORDS = [b"high", b"normal", b"low"]


# --- the keys ---

cdef bint read_delay(Slice value, Parameters* into) noexcept nogil:
    return read_duration(value, &into.delay)


cdef bint read_at(Slice value, Parameters* into) noexcept nogil:
    return read_moment(value, &into.at)


cdef bint read_priority(Slice value, Parameters* into) noexcept nogil:
    cdef uint8_t priority
    for priority in range(3):
        if is_word(value, PRIORITY_WORDS[priority]):
            into.priority = priority
            return True
    return False


cdef bint read_retries(Slice value, Parameters* into) noexcept nogil:
    cdef uint64_t count
    if not read_count(value, MAX_RETRIES, &count):
        return False
    into.retries = <uint16_t>count
    return True


cdef bint read_backoff(Slice value, Parameters* into) noexcept nogil:
    cdef Backoff* backoff = &into.backoff
    cdef size_t at, end = value.size
    backoff.jitter = value.size > 7 and memcmp(value.data + value.size - 7, b"+jitter", 7) == 0
    if backoff.jitter:
        value.size -= 7
    if begins_with(&value, b"fixed:"):
        backoff.most = 0
        return read_duration(value, &backoff.first)
    if not begins_with(&value, b"exponential:"):
        return False
    for at in range(1, value.size):
        if value.data[at] == c"." and value.data[at - 1] == c".":
            end = at + 1
            break
    else:
        return False
    return (read_duration(Slice(value.data, end - 2), &backoff.first)
            and read_duration(Slice(value.data + end, value.size - end), &backoff.most)
            and 0 < backoff.first <= backoff.most)


cdef bint read_timeout(Slice value, Parameters* into) noexcept nogil:
    return read_duration(value, &into.timeout) and into.timeout > 0


cdef bint read_ttl(Slice value, Parameters* into) noexcept nogil:
    return read_duration(value, &into.ttl) and into.ttl > 0


cdef bint read_unique_ttl(Slice value, Parameters* into) noexcept nogil:
    return read_duration(value, &into.unique_ttl) and into.unique_ttl <= MAX_UNIQUE_TTL


cdef bint read_either(Slice value, const char* no, const char* yes, bint* into) noexcept nogil:
    into[0] = is_word(value, yes)
    return into[0] or is_word(value, no)


cdef bint read_duplicate(Slice value, Parameters* into) noexcept nogil:
    return read_either(value, b"keep", b"replace", &into.replaces)


cdef bint read_graceful(Slice value, Parameters* into) noexcept nogil:
    return read_either(value, b"counted", b"free", &into.free)


cdef bint read_overlap(Slice value, Parameters* into) noexcept nogil:
    return read_either(value, b"skip", b"queue", &into.queues)


cdef bint read_catchup(Slice value, Parameters* into) noexcept nogil:
    return read_either(value, b"none", b"once", &into.once)


cdef bint read_cron(Slice value, Parameters* into) noexcept nogil:
    """What it means is read elsewhere."""
    into.cron = value
    return value.size > 0


cdef bint read_tz(Slice value, Parameters* into) noexcept nogil:
    into.tz = value
    return value.size > 0


cdef bint read_dead_most(Slice value, Parameters* into) noexcept nogil:
    return read_count(value, MAX_DEAD, &into.dead_most)


cdef bint read_dead_bytes(Slice value, Parameters* into) noexcept nogil:
    cdef const char* letter = <const char*>memchr(b"KMG", value.data[value.size - 1], 3) if value.size > 0 else NULL
    cdef int power = 0 if letter == NULL else <int>(c"K" == letter[0]) + 2 * (c"M" == letter[0]) + 3 * (c"G" == letter[0])
    if not read_count(Slice(value.data, value.size - (power > 0)), MAX_DEAD_BYTES >> (10 * power), &into.dead_bytes):
        return False
    into.dead_bytes <<= 10 * power
    return True


cdef enum:
    KEYS = 16
    MAX_RETRIES = 1000
    MAX_DEAD = 100_000_000
    MAX_UNIQUE_TTL = 86_400

cdef uint64_t MAX_DEAD_BYTES = <uint64_t>1 << 46

cdef Key[KEYS] TABLE = [
    Key(b"delay", DELAY, read_delay, b"a duration of at most 36500d, such as 500ms, 30s, 20m or 1h30m"),
    Key(b"at", AT, read_at, b"a moment with its zone, such as 2026-12-24T18:00:00+01:00, or seconds since 1970"),
    Key(b"priority", PRIORITY, read_priority, b"high, normal or low"),
    Key(b"retries", RETRIES, read_retries, b"a number from 0 to 1000"),
    Key(b"backoff", BACKOFF, read_backoff, b"fixed:10s or exponential:1s..5m, perhaps with +jitter behind it"),
    Key(b"timeout", TIMEOUT, read_timeout, b"a duration above 0, such as 500ms, 30s, 20m or 1h30m"),
    Key(b"ttl", TTL, read_ttl, b"a duration above 0, such as 500ms, 30s, 20m or 1h30m"),
    Key(b"unique_ttl", UNIQUE_TTL, read_unique_ttl, b"a duration of at most 24h, such as 500ms, 30s or 20m"),
    Key(b"duplicate", DUPLICATE, read_duplicate, b"keep or replace"),
    Key(b"graceful", GRACEFUL, read_graceful, b"free or counted"),
    Key(b"cron", CRON, read_cron, b"five fields: minute, hour, day of month, month, day of week, such as 0 3 * * mon-fri"),
    Key(b"tz", TZ, read_tz, b"a zone of the zone database, such as Europe/Berlin"),
    Key(b"overlap", OVERLAP, read_overlap, b"skip or queue"),
    Key(b"catchup", CATCHUP, read_catchup, b"none or once"),
    Key(b"dead_letter_max", DEAD_LETTER_MAX, read_dead_most, b"a number from 0 to 100000000"),
    Key(b"dead_letter_bytes", DEAD_LETTER_BYTES, read_dead_bytes, b"a number of bytes, such as 500K, 64M or 1G"),
]
# Of each line the first cannot stand together with any of the others.
cdef uint32_t[3][2] APART = [
    [DELAY, AT | CRON],
    [AT, CRON],
    [CRON, UNIQUE_TTL | DUPLICATE],
]


cdef const Key* find_key(Slice name) noexcept nogil:
    cdef int at
    for at in range(KEYS):
        if is_word(name, TABLE[at].name):
            return &TABLE[at]
    return NULL


cdef const Key* key_of(uint32_t bits) noexcept nogil:
    """One of those that have a bit in common with these."""
    cdef int at
    for at in range(KEYS):
        if TABLE[at].bit & bits:
            return &TABLE[at]
    return NULL


cdef bint read_pair(Slice pair, uint32_t allowed, Parameters* parameters, Mistake* mistake) noexcept nogil:
    cdef const char* equals = <const char*>memchr(pair.data, c"=", pair.size) if pair.size > 0 else NULL
    cdef const Key* key
    mistake[0] = Mistake(NOT_A_PAIR, pair, Slice(NULL, 0), NULL)
    if equals == NULL:
        return False
    mistake.key = Slice(pair.data, equals - pair.data)
    mistake.value = Slice(equals + 1, pair.data + pair.size - equals - 1)
    mistake.kind = UNKNOWN_KEY
    key = find_key(mistake.key)
    if key == NULL:
        return False
    mistake.kind = NOT_HERE
    if not key.bit & allowed:
        return False
    mistake.kind = TWICE
    if parameters.given & key.bit:
        return False
    mistake.kind = BAD_VALUE
    mistake.allowed = key.allowed
    if not key.read(mistake.value, parameters):
        return False
    parameters.given |= key.bit
    return stands_with(key.bit, parameters.given, mistake)


cdef bint stands_with(uint32_t bit, uint32_t given, Mistake* mistake) noexcept nogil:
    """Whether what was given before goes with this."""
    cdef uint32_t others
    cdef int line
    for line in range(3):
        others = APART[line][1] if bit & APART[line][0] else APART[line][0] if bit & APART[line][1] else 0
        if given & others:
            mistake.kind = TOGETHER
            mistake.allowed = key_of(given & others).name
            return False
    return True


cdef bint parameters_read(Slice text, uint32_t allowed, Parameters* parameters, Mistake* mistake) noexcept nogil:
    cdef const char* semicolon
    cdef Slice pair
    memset(parameters, 0, sizeof(Parameters))
    if text.size > MAX_TEXT and allowed != FOR_FUNCTION:
        mistake[0] = Mistake(TOO_LONG, text, Slice(NULL, 0), NULL)
        return False
    while True:
        semicolon = <const char*>memchr(text.data, c";", text.size) if text.size > 0 else NULL
        pair = Slice(text.data, text.size if semicolon == NULL else <size_t>(semicolon - text.data))
        if not read_pair(pair, allowed, parameters, mistake):
            return False
        if semicolon == NULL:
            break
        text = Slice(semicolon + 1, text.size - pair.size - 1)
    if parameters.given & OF_SCHEDULE and not parameters.given & CRON and allowed & CRON:
        text = Slice(key_of(parameters.given & OF_SCHEDULE).name, 0)
        mistake[0] = Mistake(ALONE, Slice(text.data, strlen(text.data)), Slice(NULL, 0), b"cron")
        return False
    return True


cdef void parameters_merge(Parameters* parameters, const Parameters* with_these) noexcept nogil:
    cdef uint32_t given = with_these.given
    cdef Parameters before = parameters[0]
    parameters[0] = with_these[0]
    parameters.given |= before.given
    if not given & DELAY:
        parameters.delay = before.delay
    if not given & PRIORITY:
        parameters.priority = before.priority
    if not given & RETRIES:
        parameters.retries = before.retries
    if not given & BACKOFF:
        parameters.backoff = before.backoff
    if not given & TIMEOUT:
        parameters.timeout = before.timeout
    if not given & TTL:
        parameters.ttl = before.ttl
    if not given & UNIQUE_TTL:
        parameters.unique_ttl = before.unique_ttl
    if not given & DUPLICATE:
        parameters.replaces = before.replaces
    if not given & GRACEFUL:
        parameters.free = before.free
    if not given & TZ:
        parameters.tz = before.tz
    if not given & OVERLAP:
        parameters.queues = before.queues
    if not given & CATCHUP:
        parameters.once = before.once
    if not given & DEAD_LETTER_MAX:
        parameters.dead_most = before.dead_most
    if not given & DEAD_LETTER_BYTES:
        parameters.dead_bytes = before.dead_bytes


@cython.final
cdef class ParameterTexts:
    cdef const Remembered* read(self, Slice text, Mistake* mistake) noexcept nogil:
        cdef Remembered* slot = &self.slots[slot_of(text)]
        if text.size == slot.size and text.size > 0 and memcmp(text.data, slot.text, text.size) == 0:
            return slot
        slot.size = 0
        if text.size <= MAX_TEXT:                  # what is read points into it
            memcpy(slot.text, text.data, text.size)
            text.data = slot.text
        if not parameters_read(text, FOR_JOB, &slot.parameters, mistake):
            return NULL
        slot.size = <uint16_t>text.size
        slot.lasting = <uint16_t>put_lasting(text, &slot.text[text.size])
        return slot


cdef size_t put_lasting(Slice text, char* out) noexcept nogil:
    """The pairs that last, of a text without mistakes."""
    cdef const char* end = text.data + text.size
    cdef const char* at = text.data
    cdef const char* semicolon
    cdef const char* equals
    cdef size_t size = 0
    while at < end:
        equals = <const char*>memchr(at, c"=", end - at)
        semicolon = <const char*>memchr(at, c";", end - at)
        if semicolon == NULL:
            semicolon = end
        if find_key(Slice(at, equals - at)).bit & LASTING:
            if size > 0:
                out[size] = c";"
                size += 1
            memcpy(out + size, at, semicolon - at)
            size += semicolon - at
        at = semicolon + 1
    return size


cdef inline size_t slot_of(Slice text) noexcept nogil:
    """Where a text is remembered; two that share a slot are read anew."""
    cdef uint64_t found = text.size, word
    cdef size_t at
    for at in range(0, min(text.size, <size_t>MAX_TEXT), 8):
        word = 0
        memcpy(&word, text.data + at, min(text.size - at, <size_t>8))
        found = (found ^ word) * 0x9E3779B97F4A7C15ULL
    return found >> 58


def keys(*, bint for_function=False):
    cdef uint32_t allowed = FOR_FUNCTION if for_function else FOR_JOB
    return {TABLE[at].name.decode(): TABLE[at].allowed.decode() for at in range(KEYS) if TABLE[at].bit & allowed}


cdef const char* key_name(uint32_t given) noexcept nogil:
    return key_of(given).name


cdef str what_is_wrong(const Mistake* mistake, bint for_function=False):
    cdef str key = shown(mistake.key)
    if for_function and mistake.kind in (UNKNOWN_KEY, NOT_HERE):
        return f"'{key}' is not the key of a policy; there are {', '.join(keys(for_function=True))}"
    if mistake.kind == NOT_A_PAIR:
        return f"a submit parameter is written key=value, and not '{key}'"
    if mistake.kind == UNKNOWN_KEY:
        return f"'{key}' is not a submit parameter; there are {', '.join(keys())}"
    if mistake.kind == TOO_LONG:
        return f"submit parameters have at most {<int>MAX_TEXT} bytes, and not {mistake.key.size}"
    if mistake.kind == NOT_HERE:
        return f"{key} is not asked of a single job"
    if mistake.kind == ALONE:
        return f"the submit parameter {key} is for a {mistake.allowed.decode()}, and there is none"
    if mistake.kind == TWICE:
        return f"the submit parameter {key} is given twice"
    if mistake.kind == TOGETHER:
        return f"the submit parameters {key} and {mistake.allowed.decode()} cannot be given together"
    return f"the submit parameter {key} has to be {mistake.allowed.decode()}, and not '{shown(mistake.value)}'"


cdef str shown(Slice read):
    """What was read, so that it does no harm where it is shown."""
    cdef str text = repr(read.data[:min(read.size, <size_t>SHOWN)])[2:-1]
    return f"{text}..." if read.size > <size_t>SHOWN else text


def read(bytes text not None, *, bint for_function=False):
    cdef Parameters found
    cdef Mistake mistake
    if not parameters_read(Slice(text, len(text)), FOR_FUNCTION if for_function else FOR_JOB, &found, &mistake):
        raise ValueError(what_is_wrong(&mistake, for_function))
    asked = {"delay": found.delay, "at": found.at, "priority": found.priority, "retries": found.retries,
             "backoff": (found.backoff.first, found.backoff.most, bool(found.backoff.jitter)), "timeout": found.timeout,
             "ttl": found.ttl, "unique_ttl": found.unique_ttl, "duplicate": "replace" if found.replaces else "keep",
             "graceful": "free" if found.free else "counted", "cron": found.cron.data[:found.cron.size],
             "tz": found.tz.data[:found.tz.size], "overlap": "queue" if found.queues else "skip",
             "catchup": "once" if found.once else "none", "dead_letter_max": found.dead_most,
             "dead_letter_bytes": found.dead_bytes}
    return {TABLE[at].name.decode(): asked[TABLE[at].name.decode()] for at in range(KEYS) if found.given & TABLE[at].bit}
