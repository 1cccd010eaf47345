"""Numbers, durations and moments, as people write them. There is nothing here for Python."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp, strlen

from gearfast.ground.slice cimport same_bytes

cdef struct Unit:
    const char* name
    double seconds

cdef enum:
    MAX_DAYS = 36_500
    MAX_DIGITS = 15           # of a number that is still exact

cdef Unit[5] UNITS = [Unit(b"d", 86_400.0), Unit(b"h", 3_600.0), Unit(b"ms", 0.001), Unit(b"m", 60.0), Unit(b"s", 1.0)]
cdef int[12] DAYS_BEFORE = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]


cdef inline bint is_digit(char letter) noexcept nogil:
    return c"0" <= letter <= c"9"


cdef bint is_word(Slice text, const char* word) noexcept nogil:
    return same_bytes(text, Slice(word, strlen(word)))


cdef inline bint skip(Slice* text, char letter) noexcept nogil:
    if text.size == 0 or text.data[0] != letter:
        return False
    text.data += 1
    text.size -= 1
    return True


cdef bint read_number(Slice* text, double* number) noexcept nogil:
    """Decimal digits, perhaps with a fraction, off the beginning of `text`."""
    cdef int digits = 0
    number[0] = 0
    while text.size > 0 and is_digit(text.data[0]):
        if digits == MAX_DIGITS:
            return False
        digits += 1
        number[0] = number[0] * 10 + (text.data[0] - c"0")
        skip(text, text.data[0])
    if digits > 0 and text.size > 1 and text.data[0] == c"." and is_digit(text.data[1]):
        read_fraction(text, number)
    return digits > 0


cdef void read_fraction(Slice* text, double* number) noexcept nogil:
    """A point and the digits behind it; those beyond what a number can tell are passed over."""
    cdef double place = 1.0
    skip(text, c".")
    while text.size > 0 and is_digit(text.data[0]):
        if place > 1e-15:
            place /= 10
            number[0] += (text.data[0] - c"0") * place
        skip(text, text.data[0])


cdef bint read_duration(Slice text, double* seconds) noexcept nogil:
    """Numbers with their units, each unit smaller than the one before: 1h30m."""
    cdef double number, before = INFINITY
    cdef size_t unit, size
    seconds[0] = 0
    while True:
        if not read_number(&text, &number):
            return False
        for unit in range(5):
            size = strlen(UNITS[unit].name)
            if size <= text.size and memcmp(text.data, UNITS[unit].name, size) == 0:
                break
        else:
            return False
        if UNITS[unit].seconds >= before:
            return False
        before = UNITS[unit].seconds
        seconds[0] += number * before
        text.data += size
        text.size -= size
        if text.size == 0:
            return seconds[0] <= MAX_DAYS * 86_400.0


cdef bint read_digits(Slice* text, int count, int* number) noexcept nogil:
    """Exactly so many digits off the beginning of `text`."""
    cdef int at
    number[0] = 0
    if text.size < <size_t>count:
        return False
    for at in range(count):
        if not is_digit(text.data[at]):
            return False
        number[0] = number[0] * 10 + (text.data[at] - c"0")
    text.data += count
    text.size -= count
    return True


cdef bint read_zone(Slice text, int* minutes) noexcept nogil:
    """Z, or the hours and minutes by which the clock there is ahead."""
    cdef int hours, rest = 0
    cdef bint behind = text.size > 0 and text.data[0] == c"-"
    minutes[0] = 0
    if is_word(text, b"Z") or is_word(text, b"z"):
        return True
    if not (skip(&text, c"+") or skip(&text, c"-")) or not read_digits(&text, 2, &hours):
        return False
    if text.size > 0:
        skip(&text, c":")
        if not read_digits(&text, 2, &rest) or text.size > 0:
            return False
    minutes[0] = -(hours * 60 + rest) if behind else hours * 60 + rest
    return hours < 24 and rest < 60


cdef int64_t days_since_1970(int year, int month, int day) noexcept nogil:
    """-1: there is no such day."""
    cdef bint leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    cdef int64_t before = year - 1
    cdef int length
    if not (1970 <= year and 1 <= month <= 12):
        return -1
    length = (365 if month == 12 else DAYS_BEFORE[month]) - DAYS_BEFORE[month - 1] + (leap and month == 2)
    if not 1 <= day <= length:
        return -1
    return before * 365 + before // 4 - before // 100 + before // 400 - 719_162 + DAYS_BEFORE[month - 1] + (leap and month > 2) + day - 1


cdef bint read_moment(Slice text, double* moment) noexcept nogil:
    """Seconds since 1970, or a date and a time with their zone (ISO 8601)."""
    cdef Slice rest = text
    cdef int year, month, day, hour, minute, second, zone
    cdef double seconds = 0
    cdef int64_t days
    if read_number(&rest, moment) and rest.size == 0:       # 20301224 is no number of seconds that anybody means
        return moment[0] == 0 or 1e8 <= moment[0] < 1e11
    if not (read_digits(&text, 4, &year) and skip(&text, c"-") and read_digits(&text, 2, &month) and skip(&text, c"-")
            and read_digits(&text, 2, &day) and (skip(&text, c"T") or skip(&text, c"t") or skip(&text, c" "))
            and read_digits(&text, 2, &hour) and skip(&text, c":") and read_digits(&text, 2, &minute)):
        return False
    if skip(&text, c":"):
        if not read_digits(&text, 2, &second) or second > 59:
            return False
        seconds = second
        if text.size > 1 and text.data[0] == c"." and is_digit(text.data[1]):
            read_fraction(&text, &seconds)
    days = days_since_1970(year, month, day)
    if days < 0 or hour > 23 or minute > 59 or not read_zone(text, &zone):
        return False
    moment[0] = days * 86_400.0 + hour * 3_600 + (minute - zone) * 60 + seconds
    return True


cdef bint read_count(Slice value, uint64_t most, uint64_t* count) noexcept nogil:
    count[0] = 0
    if value.size == 0 or value.size > MAX_DIGITS:
        return False
    while value.size > 0 and is_digit(value.data[0]):
        count[0] = count[0] * 10 + (value.data[0] - c"0")
        skip(&value, value.data[0])
    return value.size == 0 and count[0] <= most


cdef bint begins_with(Slice* text, const char* word) noexcept nogil:
    """Take a word off the beginning of `text`."""
    cdef size_t size = strlen(word)
    if text.size < size or memcmp(text.data, word, size) != 0:
        return False
    text.data += size
    text.size -= size
    return True
