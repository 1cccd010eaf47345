"""What was submitted and what was worked, so that no answer has to be believed."""

from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, memset

from benchmarks.generator.bitmap cimport bitmap_close, mark
from benchmarks.generator.trail cimport go_on

from benchmarks.errors import WrongAnswer

# No server numbers that far in one run; a bitmap for more would only eat memory.
cdef uint64_t HIGHEST_HANDLE = <uint64_t>1 << 36


cdef int no_memory() except -1 with gil:
    raise MemoryError


cdef int not_ours(uint64_t number) except -1 with gil:
    raise WrongAnswer(f"a job was assigned whose number {number:#x} nobody submitted")


cdef int twice(str job) except -1 with gil:
    raise WrongAnswer(f"{job} was assigned a second time")


cdef int twice_by_number(uint64_t number) except -1 with gil:
    return twice(title(number))


cdef int twice_by_handle(uint64_t handle) except -1 with gil:
    return twice(f"the job with handle number {handle}")


cdef int far_handle(uint64_t handle) except -1 with gil:
    raise WrongAnswer(f"a job was assigned with handle number {handle}, higher than any server counts")


cdef int out_of_order(uint64_t number, uint64_t before) except -1 with gil:
    raise WrongAnswer(f"{title(number)} was assigned after its job {before}, though it was submitted before it")


cdef int wrong_function(uint64_t number, const char* function, size_t size, const Name* due) except -1 with gil:
    raise WrongAnswer(
        f"{title(number)} was assigned with function {function[:size]!r}, it was submitted to {due.text[:due.size]!r}"
    )


cdef int foreign_function(const char* function, size_t size) except -1 with gil:
    raise WrongAnswer(f"a job was assigned with function {function[:size]!r}, which this worker never registered")


cdef int unasked_function(uint64_t number, const Name* name) except -1 with gil:
    raise WrongAnswer(f"{title(number)} has function {name.text[:name.size]!r}, which this worker never registered")


cdef int wrong_bytes(str what, const char* due, size_t due_size, const char* body, size_t size) except -1 with gil:
    cdef size_t at = 0, end
    if size != due_size:
        raise WrongAnswer(f"{what} has {size} bytes, {due_size} were due")
    while at < size and due[at] == body[at]:
        at += 1
    end = min(at + 16, size)
    raise WrongAnswer(f"{what} differs from its byte {at} on: {body[at:end]!r} came, {due[at:end]!r} was due")


cdef int wrong_payload(uint64_t number, const char* due, size_t due_size, const char* body,
                       size_t size) except -1 with gil:
    # The first eight bytes are the number, which was looked at before.
    cdef bytes whole = body[:8] + due[:due_size][8:]
    return wrong_bytes(f"the payload of {title(number)}", whole, due_size, body, size)


cdef int wrong_short_payload(const char* due, const char* body, size_t size) except -1 with gil:
    return wrong_bytes("the payload of a job", due, size, body, size)


cdef int unused_size(size_t size) except -1 with gil:
    raise WrongAnswer(f"a job was assigned with a payload of {size} bytes, which nobody submitted")


cdef int wrong_result(uint64_t number, const char* due, size_t due_size, const char* body, size_t size,
                      bint numbered) except -1 with gil:
    cdef bytes whole = due[:due_size]
    if numbered:
        whole = (<char*>&number)[:8] + whole[8:]
    return wrong_bytes(f"the result of {title(number)}", whole, due_size, body, size)


cdef str title(uint64_t number):
    return f"job {sequence_of(number)} of submitter {number >> SEQUENCE_BITS}"


cdef class Ledger:
    def __cinit__(self, bytes stem=b"work"):
        self.stem = stem

    def __dealloc__(self):
        cdef size_t at
        for at in range(self.count):
            bitmap_close(&self.origins[at].worked)
            free(self.origins[at])
        bitmap_close(&self.handles)
        free(self.origins)
        free(self.names)
        free(self.pattern)

    cdef int open_origin(self, size_t payload, int functions, bint ordered) except -1:
        """Add somebody who submits; return who it is."""
        cdef Origin** larger
        cdef Origin* origin
        if self.count == self.room:
            larger = <Origin**>realloc(self.origins, max(2 * self.room, 16) * sizeof(Origin*))
            if larger == NULL:
                raise MemoryError
            self.origins, self.room = larger, max(2 * self.room, 16)
        origin = <Origin*>calloc(1, sizeof(Origin))
        if origin == NULL:
            raise MemoryError
        origin.payload, origin.functions, origin.ordered = payload, functions, ordered
        self.origins[self.count] = origin
        self.count += 1
        if payload < 8:
            self.short_sizes[payload] = True
        return self.count - 1

    cdef int provide(self, size_t payload, int functions) except -1:
        """Have a pattern of ``payload`` bytes, and names for ``functions`` functions."""
        cdef char* pattern
        cdef Name* names
        cdef size_t at
        if payload + 16 > self.longest:
            pattern = <char*>realloc(self.pattern, payload + 16)
            if pattern == NULL:
                raise MemoryError
            for at in range(self.longest, payload + 16):
                # It repeats after 64 KiB only, so that a piece in a wrong place is seen.
                pattern[at] = <char>((at * 167 + (at >> 8) * 13 + 89) & 255)
            self.pattern, self.longest = pattern, payload + 16
        if functions > self.named:
            names = <Name*>realloc(self.names, functions * sizeof(Name))
            if names == NULL:
                raise MemoryError
            self.names = names
            for at in range(self.named, functions):
                text = b"%s%d" % (self.stem, at)
                memset(&names[at], 0, sizeof(Name))
                memcpy(names[at].text, <const char*>text, len(text))
                names[at].size = len(text)
            self.named = functions
        return 0

    cdef uint64_t next_number(self, uint32_t origin) noexcept nogil:
        cdef uint64_t sequence = self.origins[origin].submitted
        self.origins[origin].submitted += 1
        self.submitted += 1
        return (<uint64_t>origin << SEQUENCE_BITS) | sequence

    cdef int assigned(self, Trail* trail, int functions, uint64_t handle, const char* function, size_t function_size,
                      const char* payload, size_t size) except -1 nogil:
        cdef uint64_t number, sequence
        cdef Origin* origin
        cdef int index
        if size < 8:
            return self.assigned_short(functions, handle, function, function_size, payload, size)
        memcpy(&number, payload, 8)
        sequence = sequence_of(number)
        if number >> SEQUENCE_BITS >= self.count:
            return not_ours(number)
        origin = self.origins[number >> SEQUENCE_BITS]
        if sequence >= origin.submitted:
            return not_ours(number)
        if size != origin.payload or memcmp(payload + 8, self.pattern + 8, size - 8) != 0:
            return wrong_payload(number, self.pattern, origin.payload, payload, size)
        index = <int>(sequence % origin.functions) if origin.functions > 1 else 0
        if function != NULL:
            self.check_function(number, index, functions, function, function_size)
        return self.worked_once(trail, origin, number, index)

    cdef int check_function(self, uint64_t number, int index, int functions, const char* function,
                            size_t size) except -1 nogil:
        cdef Name* name = &self.names[index]
        if size != name.size or memcmp(function, name.text, size) != 0:
            return wrong_function(number, function, size, name)
        if index >= functions:
            return unasked_function(number, name)
        return 0

    cdef int worked_once(self, Trail* trail, Origin* origin, uint64_t number, int index) except -1 nogil:
        cdef uint64_t before = 0
        cdef uint64_t key = number >> SEQUENCE_BITS << 32 | <uint64_t>index
        cdef int found = mark(&origin.worked, sequence_of(number))
        if found == 1:
            return twice_by_number(number)
        if found == 0 and origin.ordered:
            found = go_on(trail, key, sequence_of(number), &before)
            if found == 1:
                return out_of_order(number, before)
        if found < 0:
            return no_memory()
        self.worked += 1
        return 0

    cdef int assigned_short(self, int functions, uint64_t handle, const char* function, size_t function_size,
                            const char* payload, size_t size) except -1 nogil:
        """A payload too short for a number: the handle tells the jobs apart, their order cannot be seen."""
        cdef int found, index
        if not self.short_sizes[size]:
            return unused_size(size)
        if memcmp(payload, self.pattern, size) != 0:
            return wrong_short_payload(self.pattern, payload, size)
        if function != NULL:
            for index in range(functions):
                if function_size == self.names[index].size and memcmp(function, self.names[index].text,
                                                                      function_size) == 0:
                    break
            else:
                return foreign_function(function, function_size)
        if handle > HIGHEST_HANDLE:
            return far_handle(handle)
        found = mark(&self.handles, handle)
        if found == 1:
            return twice_by_handle(handle)
        if found < 0:
            return no_memory()
        self.worked += 1
        return 0

    cdef int completed(self, uint32_t origin, uint64_t sequence, ssize_t result, const char* body,
                       size_t size) except -1 nogil:
        cdef uint64_t number = <uint64_t>origin << SEQUENCE_BITS | sequence
        cdef size_t payload = self.origins[origin].payload
        cdef size_t due = payload if result < 0 else result
        # A result carries the job's number wherever both it and the payload have the room.
        cdef bint numbered = payload >= 8 and due >= 8
        cdef size_t start = 8 if numbered else 0
        if size != due or (numbered and memcmp(body, &number, 8) != 0) or (
                memcmp(body + start, self.pattern + start, size - start) != 0):
            return wrong_result(number, self.pattern, due, body, size, numbered)
        return 0
