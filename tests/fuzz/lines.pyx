"""Lines of administrators."""

from libc.string cimport memcpy, strchr, strlen

from tests.fuzz.kinds cimport ANSWER, LINE, LINES, NOTHING

cdef enum:
    MAX_WORDS = 5

ctypedef const char* Text

# `%` stands for a word
cdef Text[COMMANDS] TEXTS = [
    b"status\n", b"status\r\n", b"workers\n", b"prioritystatus\n", b"show jobs\n", b"show unique jobs\n",
    b"create function %\n", b"drop function %\n", b"drop function %\n", b"maxqueue %\n", b"maxqueue % 1\n",
    b"maxqueue % 1 2 3\n", b"maxqueue % 0 0 1\n", b"version\n", b"verbose\n", b"\n",
    b"kick %\n", b"kick % 1\n", b"purge %\n", b"buried % 2\n",
    b"cancel job %\n", b"cancel job %\n", b"cancel job %\n", b"cancel job %\n", b"Cancel Job %\n", b"cancel job % %\n",
    b"cancel %\n", b"show %\n", b"one two three four %\n", b"one two three four five %\n", b"getpid\n", b"show\n",
    b"create %\n", b"workers % %\n", b" status\n", b"drop function % %\n",
    b"show delayed\n", b"show delayed 3\n", b"show job %\n", b"run now %\n", b"run now %\n", b"move % due=1m\n",
    b"move % due=1s priority=high\n", b"move % priority=low\n",
    b"buried\n", b"buried --json\n", b"show buried %\n", b"show buried % --json\n", b"kick job %\n", b"kick job %\n",
    b"Delete Job %\n", b"delete %\n", b"kick job % two three four five\n",
]


cdef Text[6] OURS = [b"buried", b"run", b"move", b"kick", b"purge", b"delete"]


cdef bint is_word(Slice word, const char* text) noexcept nogil:
    """Whatever its case; only lower-case texts are asked for."""
    cdef size_t at
    cdef char letter
    if word.size != strlen(text):
        return False
    for at in range(word.size):
        letter = word.data[at]
        if (letter + 32 if c"A" <= letter <= c"Z" else letter) != text[at]:
            return False
    return True


cdef int split_words(Slice line, Slice* words) noexcept nogil:
    """At runs of spaces; one at either end of the line makes an empty word. At most one more than there may be."""
    cdef int count = 0
    cdef size_t start = 0, at
    for at in range(line.size + 1):
        if at < line.size and line.data[at] != c" ":
            continue
        if (at > start or start == 0 or at == line.size) and count <= MAX_WORDS:
            words[count] = Slice(line.data + start, at - start)
            count += 1
        start = at + 1
    return count


cdef bint is_of_ours(Slice word) noexcept nogil:
    """A command that stock does not have: a line that is too long for it is told so."""
    cdef Text name
    for name in OURS:
        if is_word(word, name):
            return True
    return False


cdef bint is_table(const Slice* words, int count) noexcept nogil:
    """Of ours: up to a dot, or one line that says what is wrong."""
    if is_word(words[0], b"buried"):
        return True
    if count < 2 or not is_word(words[0], b"show"):
        return False
    return is_word(words[1], b"delayed") or is_word(words[1], b"job") or is_word(words[1], b"buried")


cdef Owed answer_to(Slice line) noexcept nogil:
    cdef Slice words[MAX_WORDS + 1]
    cdef int count = split_words(line, words)
    if is_table(words, count):
        return ANSWER
    if count > MAX_WORDS and not is_of_ours(words[0]):
        return NOTHING
    if is_word(words[0], b"status") or is_word(words[0], b"prioritystatus") or is_word(words[0], b"workers"):
        return LINES
    if is_word(words[0], b"help") or (count == 2 and is_word(words[0], b"show") and is_word(words[1], b"memory")):
        return LINES
    if is_word(words[0], b"show") and is_word(words[count - 1], b"jobs"):
        if count == 2 or (count == 3 and is_word(words[1], b"unique")):
            return LINES
    return LINE


cdef Slice line_of(int command, Slice word, char* room) noexcept nogil:
    cdef const char* text = TEXTS[command % COMMANDS]
    cdef char* at = room
    while text[0] != 0:
        if text[0] == c"%":
            memcpy(at, word.data, word.size)
            at += word.size
        else:
            at[0] = text[0]
            at += 1
        text += 1
    return Slice(room, at - room)
