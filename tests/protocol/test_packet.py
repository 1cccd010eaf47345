"""The parser: what a byte stream means, however it is cut (protocol section 1).

Expectations are written down by hand beside the bytes; nothing of the parser is used to make them.
"""

from __future__ import annotations

import struct
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gearfast.errors import ProtocolError
from gearfast.protocol.packet import PacketReader, PacketType
from tests.support import wire
from tests.support.wire import NAMES, REQ, RES, raw, request

Parsed = tuple[PacketType, bool, tuple[bytes, ...] | None, bytes]

KIB = 1024

# Arguments of every type, and whether a payload follows them (protocol section 2).
SHAPES = {
    wire.CAN_DO: (1, False),
    wire.CANT_DO: (1, False),
    wire.RESET_ABILITIES: (0, False),
    wire.PRE_SLEEP: (0, False),
    wire.UNUSED: (0, False),
    wire.NOOP: (0, False),
    wire.SUBMIT_JOB: (2, True),
    wire.JOB_CREATED: (1, False),
    wire.GRAB_JOB: (0, False),
    wire.NO_JOB: (0, False),
    wire.JOB_ASSIGN: (2, True),
    wire.WORK_STATUS: (3, False),
    wire.WORK_COMPLETE: (1, True),
    wire.WORK_FAIL: (1, False),
    wire.GET_STATUS: (1, False),
    wire.ECHO_REQ: (0, True),
    wire.ECHO_RES: (0, True),
    wire.SUBMIT_JOB_BG: (2, True),
    wire.ERROR: (2, False),
    wire.STATUS_RES: (5, False),
    wire.SUBMIT_JOB_HIGH: (2, True),
    wire.SET_CLIENT_ID: (1, False),
    wire.CAN_DO_TIMEOUT: (2, False),
    wire.ALL_YOURS: (0, False),
    wire.WORK_EXCEPTION: (1, True),
    wire.OPTION_REQ: (1, False),
    wire.OPTION_RES: (1, False),
    wire.WORK_DATA: (1, True),
    wire.WORK_WARNING: (1, True),
    wire.GRAB_JOB_UNIQ: (0, False),
    wire.JOB_ASSIGN_UNIQ: (3, True),
    wire.SUBMIT_JOB_HIGH_BG: (2, True),
    wire.SUBMIT_JOB_LOW: (2, True),
    wire.SUBMIT_JOB_LOW_BG: (2, True),
    wire.SUBMIT_JOB_SCHED: (7, True),
    wire.SUBMIT_JOB_EPOCH: (3, True),
    wire.SUBMIT_REDUCE_JOB: (4, True),
    wire.SUBMIT_REDUCE_JOB_BACKGROUND: (4, True),
    wire.GRAB_JOB_ALL: (0, False),
    wire.JOB_ASSIGN_ALL: (4, True),
    wire.GET_STATUS_UNIQUE: (1, False),
    wire.STATUS_RES_UNIQUE: (6, False),
}
SHORT = [type_ for type_, (count, payload) in SHAPES.items() if count + payload > 1]
WITH_ARGUMENTS = [type_ for type_, (count, _) in SHAPES.items() if count > 0]
REPORTS = [wire.WORK_COMPLETE, wire.WORK_DATA, wire.WORK_WARNING, wire.WORK_EXCEPTION]
IGNORING = [type_ for type_, shape in SHAPES.items() if shape == (0, False)]


def name_of(type_: int) -> str:
    """A test's name says the type, not its number."""
    return NAMES[type_]


def packet(type_: int, *arguments: bytes, payload: bytes = b"") -> tuple[bytes, Parsed]:
    """A request's bytes, and what the parser has to make of them."""
    with_payload = SHAPES[type_][1]
    data = request(type_, *arguments, payload=payload if with_payload else None)
    return data, (PacketType(type_), False, arguments, payload)


def line(text: bytes, end: bytes = b"\n") -> tuple[bytes, Parsed]:
    """A line's bytes, and what the parser has to make of them."""
    return text + end, (PacketType.TEXT, False, None, text)


def everything() -> list[tuple[bytes, Parsed]]:
    """Every packet type once, lines between them, and the bodies people get wrong."""
    script = [line(b"status"), line(b"version", b"\r\n"), line(b"")]
    for type_, (count, payload) in SHAPES.items():
        arguments = [b"%s-%d" % (NAMES[type_].lower().encode(), number) for number in range(count)]
        script.append(packet(type_, *arguments, payload=b"pay\0load\n" if payload else b""))
        if type_ % 7 == 0:
            script.append(line(b"show jobs %d" % type_))
    script += [
        packet(wire.CAN_DO, b""),
        packet(wire.SUBMIT_JOB, b"", b"", payload=b""),
        packet(wire.ECHO_REQ, payload=b""),
        packet(wire.ECHO_REQ, payload=b"\0REQ"),
        (raw(REQ, wire.GRAB_JOB, b"nobody reads this\0\n"), (PacketType.GRAB_JOB, False, (), b"")),
        line(b"workers"),
        (raw(REQ, wire.SUBMIT_JOB, b"only\0two"), (PacketType.SUBMIT_JOB, False, None, b"")),
        (raw(REQ, wire.WORK_COMPLETE, b"H:a:1"), (PacketType.WORK_COMPLETE, False, (b"H:a:1",), b"")),
        packet(wire.PRE_SLEEP),
    ]
    return script


SCRIPT = everything()
STREAM = b"".join(data for data, _ in SCRIPT)
MEANING = [meaning for _, meaning in SCRIPT]


def fed(reader: PacketReader, data: bytes) -> list[Parsed]:
    """What is whole when the reader has these bytes too."""
    reader.feed(data)
    return list(reader)


def parsed(*chunks: bytes) -> list[Parsed]:
    """What a new reader makes of these chunks."""
    reader = PacketReader()
    return [found for chunk in chunks for found in fed(reader, chunk)]


def refused(*chunks: bytes) -> ProtocolError:
    """The error that the last of these chunks, and none before it, brings about."""
    reader = PacketReader()
    for chunk in chunks[:-1]:
        fed(reader, chunk)
    with pytest.raises(ProtocolError) as caught:
        fed(reader, chunks[-1])
    return caught.value


# --- every cut of a stream means the same ---


def test_the_stream_in_one_piece_holds_every_type() -> None:
    assert parsed(STREAM) == MEANING
    assert {meaning[0] for meaning in MEANING} == set(range(43))


def test_the_stream_byte_by_byte_means_the_same() -> None:
    assert parsed(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == MEANING


def test_the_stream_split_at_every_position_means_the_same() -> None:
    for at in range(len(STREAM) + 1):
        assert parsed(STREAM[:at], STREAM[at:]) == MEANING, at


def test_every_packet_comes_with_its_last_byte_and_not_before() -> None:
    reader = PacketReader()
    for data, meaning in SCRIPT:
        if meaning[0] in IGNORING:
            assert fed(reader, data) == [meaning]  # its header is enough
        else:
            assert fed(reader, data[:-1]) == [], meaning
            assert fed(reader, data[-1:]) == [meaning]


pieces = st.one_of(
    st.sampled_from(SCRIPT),
    st.binary(max_size=300).map(lambda payload: packet(wire.ECHO_REQ, payload=payload)),
    st.binary(max_size=40).map(lambda last: packet(wire.CAN_DO, last)),
    st.text("abc \t", max_size=20).map(lambda text: line(text.encode())),
)


@settings(deadline=None, max_examples=150)
@given(script=st.lists(pieces, max_size=12), data=st.data())
def test_any_chunking_gives_the_same_packets(script: list[tuple[bytes, Parsed]], data: st.DataObject) -> None:
    stream = b"".join(part for part, _ in script)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert parsed(*chunks) == [meaning for _, meaning in script]


@settings(deadline=None, max_examples=300)
@given(noise=st.binary(max_size=200), flips=st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), max_size=4))
def test_noise_is_parsed_or_refused_and_the_same_byte_by_byte(noise: bytes, flips: list[tuple[int, int]]) -> None:
    stream = bytearray(STREAM[:400] + noise)
    for at, value in flips:
        stream[at] = value

    def outcome(step: int) -> tuple[list[Parsed], str | None]:
        reader, found = PacketReader(), list[Parsed]()
        for at in range(0, len(stream), step):
            try:
                found += fed(reader, bytes(stream[at : at + step]))
            except ProtocolError as error:
                return found, str(error)
        return found, None

    whole, error = outcome(len(stream))
    by_byte, same_error = outcome(1)
    assert error == same_error
    assert error is not None or whole == by_byte


# --- how a body is split ---


@pytest.mark.parametrize("type_", SHAPES, ids=name_of)
def test_a_body_is_split_as_its_type_says(type_: int) -> None:
    count, payload = SHAPES[type_]
    arguments = tuple(b"abcdefg"[number : number + 1] * number for number in range(count))
    data, meaning = packet(type_, *arguments, payload=b"\0x\0" if payload else b"")
    assert parsed(data) == [meaning]


@pytest.mark.parametrize("type_", SHORT, ids=name_of)
def test_too_few_arguments_are_told_and_the_stream_stays_in_step(type_: int) -> None:
    count, payload = SHAPES[type_]
    missing_one = b"x\0" * (count - (1 if payload else 2)) + b"x"
    short = (PacketType(type_), False, None, b"")
    echo, after = packet(wire.ECHO_REQ, payload=b"still here")
    for body in (b"", b"x", missing_one) if type_ not in REPORTS else (b"",):
        assert parsed(raw(REQ, type_, body) + echo) == [short, after]
        assert parsed(*(bytes([byte]) for byte in raw(REQ, type_, body) + echo)) == [short, after]


@pytest.mark.parametrize("type_", REPORTS, ids=name_of)
def test_a_report_that_is_a_bare_handle_has_empty_data(type_: int) -> None:
    echo, after = packet(wire.ECHO_REQ, payload=b"still here")
    whole = (PacketType(type_), False, (b"H:a:1",), b"")
    assert parsed(raw(REQ, type_, b"H:a:1") + raw(REQ, type_, b"H:a:1\0") + echo) == [whole, whole, after]
    assert "an argument is longer" in str(refused(raw(REQ, type_, b"x" * 65537)))


def test_packets_before_a_fault_are_returned_and_the_fault_is_final() -> None:
    data, meaning = packet(wire.ECHO_REQ, payload=b"whole")
    reader = PacketReader()
    reader.feed(data + data + b"\0BAD" + bytes(8) + data)
    assert [next(reader), next(reader)] == [meaning, meaning]
    for call in (reader.__next__, reader.__next__, lambda: reader.feed(data), lambda: reader.feed(b"")):
        with pytest.raises(ProtocolError, match="magic"):
            call()
    assert reader.kept == 0


def test_any_buffer_is_taken_and_may_change_afterwards() -> None:
    data, meaning = packet(wire.SUBMIT_JOB, b"f", b"u", payload=b"data")
    reader = PacketReader()
    for buffer in (bytearray(data), array("B", data), memoryview(bytearray(data))):
        reader.feed(buffer)
        buffer[12] = 0
        assert list(reader) == [meaning]
    for wrong in ("text", None, 7, memoryview(b"x" * 8)[::2]):
        with pytest.raises((TypeError, ValueError, BufferError)):
            reader.feed(wrong)  # type: ignore[arg-type]
    assert fed(reader, data) == [meaning]


def test_no_payload_is_taken_over_from_the_packet_before() -> None:
    data = request(wire.ECHO_REQ, payload=b"mine") + request(wire.PRE_SLEEP) + request(wire.CAN_DO, b"f")
    assert [found[3] for found in parsed(data)] == [b"mine", b"", b""]


def test_the_last_argument_keeps_its_nuls_and_a_terminated_one_ends_at_the_first() -> None:
    assert parsed(raw(REQ, wire.CAN_DO, b"f\0"))[0][2] == (b"f\0",)
    assert parsed(raw(REQ, wire.CAN_DO_TIMEOUT, b"f\0" + b"1\0002"))[0][2] == (b"f", b"1\0002")


@pytest.mark.parametrize("type_", IGNORING, ids=name_of)
def test_a_body_that_the_type_does_not_use_is_skipped(type_: int) -> None:
    echo, after = packet(wire.ECHO_REQ, payload=b"next")
    for body in (b"", b"x", b"\0" * 40, b"status\n", b"y" * 100_000):
        data = raw(REQ, type_, body) + echo
        assert parsed(data) == [(PacketType(type_), False, (), b""), after]
        assert parsed(data[:13], data[13:-3], data[-3:]) == [(PacketType(type_), False, (), b""), after]


def test_an_ignored_body_is_never_kept_whatever_its_size() -> None:
    reader = PacketReader(max_packet_size=KIB)
    assert len(fed(reader, raw(REQ, wire.GRAB_JOB, b"", size=2**32 - 1))) == 1
    for _ in range(100):
        assert fed(reader, bytes(64 * KIB)) == []
        assert reader.kept == 0


@pytest.mark.parametrize("type_", [wire.GRAB_JOB, wire.PRE_SLEEP, wire.ECHO_REQ, wire.CAN_DO], ids=name_of)
def test_a_zero_length_body_is_not_taken_for_a_header_not_read_yet(type_: int) -> None:
    data = raw(REQ, type_, b"")
    reader = PacketReader()
    for byte in data[:-1]:
        assert fed(reader, bytes([byte])) == []
    assert [found[0] for found in fed(reader, data[-1:])] == [type_]
    assert fed(reader, b"") == []
    assert reader.kept == 0


def test_text_and_binary_may_be_mixed_in_one_segment() -> None:
    data = b"status\n" + request(wire.ECHO_REQ, payload=b"version\n") + b"version\r\n"
    assert parsed(data) == [
        (PacketType.TEXT, False, None, b"status"),
        (PacketType.ECHO_REQ, False, (), b"version\n"),
        (PacketType.TEXT, False, None, b"version"),
    ]


def test_only_the_cr_before_the_lf_belongs_to_the_line_end() -> None:
    assert [found[3] for found in parsed(b"a\rb\n\r\n\r\r\nc\0d\n")] == [b"a\rb", b"", b"\r", b"c\0d"]


# --- what is refused ---


@pytest.mark.parametrize("type_", [0, 43, 2**31 - 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("magic", [REQ, RES])
def test_an_unknown_type_is_refused_and_nobody_is_told_why(type_: int, magic: bytes) -> None:
    data = magic + struct.pack(">II", type_, 0)
    assert refused(data).code == ""
    assert str(type_) in str(refused(data[:11], data[11:]))


@pytest.mark.parametrize("magic", [b"\0REX", b"\0req", b"\0\0\0\0", b"\0RE\0"])
def test_a_wrong_magic_is_refused_once_the_header_is_whole(magic: bytes) -> None:
    data = raw(magic, wire.ECHO_REQ, b"")
    assert refused(data[:11], data[11:]).code == ""


@pytest.mark.parametrize("type_", SHAPES, ids=name_of)
def test_a_servers_magic_is_parsed_and_told(type_: int) -> None:
    data = bytearray(packet(type_, *(b"a" for _ in range(SHAPES[type_][0])))[0])
    data[:4] = RES
    assert [found[:2] for found in parsed(bytes(data))] == [(type_, True)]


# --- sizes ---


@pytest.mark.parametrize("type_", WITH_ARGUMENTS, ids=name_of)
def test_an_argument_has_at_most_8192_bytes_with_its_nul(type_: int) -> None:
    count, payload = SHAPES[type_]
    for place in range(count):
        most = 8191 if payload or place < count - 1 else 8192
        fits = [b""] * count
        fits[place] = b"a" * most
        data, meaning = packet(type_, *fits)
        assert parsed(data) == [meaning]
        too_long = [*fits[:place], fits[place] + b"a", *fits[place + 1 :]]
        assert refused(packet(type_, *too_long)[0]).code == ""


def test_an_argument_that_never_ends_is_refused() -> None:
    data = raw(REQ, wire.SUBMIT_JOB, b"f" * 8192)
    assert parsed(data) == [(PacketType.SUBMIT_JOB, False, None, b"")]  # too few, not too long
    refused(raw(REQ, wire.SUBMIT_JOB, b"f" * 8193))


def test_a_header_that_announces_too_long_arguments_is_refused_before_the_body_comes() -> None:
    for type_ in (wire.CAN_DO, wire.WORK_STATUS, wire.STATUS_RES_UNIQUE):
        refused(raw(REQ, type_, b"", size=SHAPES[type_][0] * 8192 + 1))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_has_at_most_8191_bytes(end: bytes) -> None:
    text = b"x" * (8192 - len(end))
    assert parsed(text + end) == [(PacketType.TEXT, False, None, text)]
    assert parsed(text, end) == [(PacketType.TEXT, False, None, text)]
    assert refused(text + b"x" + end).code == ""


def test_8192_bytes_without_an_lf_are_pending_and_one_more_is_too_many() -> None:
    assert parsed(b"x" * 8192) == []
    refused(b"x" * 8192, b"x")
    refused(b"x" * 8192, b"\n")


@pytest.mark.parametrize("type_", [wire.ECHO_REQ, wire.SUBMIT_JOB, wire.WORK_COMPLETE], ids=name_of)
def test_a_body_above_max_packet_size_is_refused_before_anything_is_kept(type_: int) -> None:
    for size in (1001, 2**31, 2**32 - 1):
        reader = PacketReader(max_packet_size=1000)
        header = raw(REQ, type_, b"", size=size)
        assert fed(reader, header[:11]) == []
        with pytest.raises(ProtocolError) as caught:
            fed(reader, header[11:])
        assert caught.value.code == "ARGUMENT_TOO_LARGE"
        assert str(size) in str(caught.value)
        assert reader.kept <= 12


def test_a_body_of_max_packet_size_is_taken() -> None:
    reader = PacketReader(max_packet_size=1000)
    data, meaning = packet(wire.ECHO_REQ, payload=b"x" * 1000)
    assert reader.max_packet_size == 1000
    assert fed(reader, data) == [meaning]


def test_an_announced_size_allocates_nothing_by_itself() -> None:
    reader = PacketReader()
    assert fed(reader, raw(REQ, wire.ECHO_REQ, b"", size=200 * KIB * KIB)) == []
    assert reader.kept < KIB
    fed(reader, b"x" * 10 * KIB)
    assert reader.kept < 64 * KIB


@pytest.mark.parametrize("about", [8 * KIB, 64 * KIB, 128 * KIB, 256 * KIB])
def test_payloads_around_the_sizes_of_buffers(about: int) -> None:
    for size in (about - 13, about - 12, about - 11, about - 1, about, about + 1, about + 12):
        data, meaning = packet(wire.SUBMIT_JOB_BG, b"f", b"", payload=bytes(byte % 251 for byte in range(size)))
        echo, after = packet(wire.ECHO_REQ, payload=b"")
        stream = data + echo
        for step in (4 * KIB, 64 * KIB, 128 * KIB, 1 << 20):
            chunks = [stream[at : at + step] for at in range(0, len(stream), step)]
            assert parsed(*chunks) == [meaning, after]


def test_nothing_is_kept_between_packets_and_a_tail_gives_its_memory_back() -> None:
    reader = PacketReader()
    assert reader.kept == 0
    data, _ = packet(wire.ECHO_REQ, payload=b"x" * (1 << 20))
    fed(reader, data[:-1])
    assert reader.kept >= len(data) - 1
    assert len(fed(reader, data[-1:] + b"ver")) == 1
    assert reader.kept < 16 * KIB
    assert len(fed(reader, b"sion\n")) == 1
    assert reader.kept == 0
