"""How bytes become packets: headers, sizes, arguments, and what is no packet at all."""

from __future__ import annotations

from tests.differential.script import Collection, Step, a, o, w
from tests.support import wire
from tests.support.wire import (
    CAN_DO,
    CAN_DO_TIMEOUT,
    ECHO_REQ,
    GRAB_JOB,
    OPTION_REQ,
    PRE_SLEEP,
    RES,
    RESET_ABILITIES,
    SUBMIT_JOB,
    SUBMIT_JOB_BG,
    SUBMIT_JOB_EPOCH,
    SUBMIT_JOB_HIGH,
    SUBMIT_JOB_HIGH_BG,
    SUBMIT_JOB_LOW,
    SUBMIT_JOB_LOW_BG,
    SUBMIT_REDUCE_JOB,
    SUBMIT_REDUCE_JOB_BACKGROUND,
    WORK_COMPLETE,
    WORK_DATA,
    WORK_EXCEPTION,
    WORK_STATUS,
    WORK_WARNING,
    request,
)

play = Collection()

# --- good packets in every shape of delivery -----------------------------------------------------------

play(
    "echo",
    a(ECHO_REQ),
    a(ECHO_REQ, "hello"),
    a(ECHO_REQ, b"with\0nul\0"),
    a(ECHO_REQ, b"x" * 8192),
    a(ECHO_REQ, b"y" * 65535),
    a(ECHO_REQ, b"y" * 65536),
    a(ECHO_REQ, b"y" * 65537),
    a(ECHO_REQ, b"z" * 300_000),
)
play(
    "byte-by-byte",
    a(ECHO_REQ, "slow").bytewise(),
    a(ECHO_REQ).bytewise(),
    w(CAN_DO, "f").bytewise(),
    w(GRAB_JOB).bytewise(),
    w(PRE_SLEEP).bytewise(),
    a(SUBMIT_JOB, "f", "u", payload="work").bytewise(),
    w(GRAB_JOB).bytewise(),
    w(WORK_COMPLETE, "<h1>", payload="done").bytewise(),
    a.text("version").bytewise(),
    a.text("status", b"\r\n").bytewise(),
)
play(
    "one-segment",
    a(ECHO_REQ, "1") + a(ECHO_REQ, "2") + a(ECHO_REQ, "3"),
    a(SUBMIT_JOB_BG, "f", "", payload="1") + a(SUBMIT_JOB_BG, "f", "", payload="2") + a(ECHO_REQ, "behind"),
    w(CAN_DO, "f") + w(GRAB_JOB) + w(GRAB_JOB) + w(GRAB_JOB),
    w(WORK_COMPLETE, "<h1>", payload="") + w(WORK_COMPLETE, "<h2>", payload="") + w(GRAB_JOB),
)
play(
    "text-and-binary",
    a.text("status") + a(ECHO_REQ, "between") + a.text("version"),
    a(ECHO_REQ, "first") + a.text("maxqueue") + a(SUBMIT_JOB_BG, "f", "", payload="x"),
    a.text("version") + a.text("status"),
    a.text("nonsense") + a(GRAB_JOB) + a.text("", b"\r\n") + a(GRAB_JOB),
)
play(
    "split",
    a.part(b"\0"),
    o(ECHO_REQ, "others go on"),
    a.part(b"REQ\0\0\0\x10\0\0"),
    o.text("version"),
    a.raw(b"\0\x04abcd"),
    a.part(request(SUBMIT_JOB_BG, "f", "u", payload="body")[:-6]),
    o.text("status"),
    a.raw(b"u\0body"[-6:]),
    a.part("ver"),
    a.raw("sion\n"),
    a.part(b"status\r"),
    a.raw("\n"),
)
play(
    "body-where-none-is-due",
    w(CAN_DO, "f"),
    a(SUBMIT_JOB_BG, "f", "", payload="x"),
    w(GRAB_JOB, "ignored"),
    w(GRAB_JOB, "ign\0ored"),
    w(PRE_SLEEP, "ignored"),
    w(WORK_COMPLETE, "<h1>", payload=""),
    w(RESET_ABILITIES, "ignored"),
    o.text("status"),
)
play(
    "large-payload",
    a(SUBMIT_JOB, "f", "", payload=b"p" * 65536),
    w(CAN_DO, "f"),
    w(GRAB_JOB),
    w(WORK_DATA, "<h1>", payload=b"d" * 65536),
    w(WORK_COMPLETE, "<h1>", payload=b"r" * 1_000_000),
    a(SUBMIT_JOB, "f", "", payload=b"\0\1\2\xff" * 50_000),
    w(GRAB_JOB),
)

# --- wrong magic, wrong type ---------------------------------------------------------------------------

play("magic-wrong", a.raw(b"\0REX\0\0\0\x10\0\0\0\0"), o(ECHO_REQ))
play("magic-zero", a.raw(b"\0" * 12), o(ECHO_REQ))
play("magic-lower", a.raw(b"\0req\0\0\0\x10\0\0\0\0"), o(ECHO_REQ))
play("type-0", a.lies(0), o(ECHO_REQ))
play("type-43", a.lies(43), o(ECHO_REQ))
play("type-1000", a.lies(1000, "body"), o(ECHO_REQ))
play("type-max-signed", a.lies(0x7FFFFFFF), o(ECHO_REQ))
play("type-res-0", a.lies(0, magic=RES), o(ECHO_REQ))
for number in (0x80000000, 0xFFFFFFFF):
    play(
        f"type-{number:x}",
        a.lies(number).expect("a: closed"),
        o(ECHO_REQ).expect("o: ECHO_RES"),
        gearfast_only=True,
    )
play(
    "magic-res",
    *(a.lies(number, b"a\0" * 8, magic=RES) for number in range(1, 43)),
    a(ECHO_REQ, "still there"),
)
play(
    "not-expected",
    *(a.lies(number, b"a\0" * 8) for number in (5, 6, 8, 10, 11, 17, 19, 20, 24, 27, 31, 40, 42)),
    *(a.lies(number) for number in (5, 6, 8, 10, 17, 24, 27)),
    a(ECHO_REQ, "still there"),
)

# --- bodies that lie -----------------------------------------------------------------------------------


def _too_few(type_: int, body: str) -> Step:
    text = f"a: ERROR INVALID_PACKET\\0Too few arguments for {wire.NAMES[type_]}"
    return a.lies(type_, body).expect(text)


# Stock waits for the missing NUL; where the last argument takes the rest it goes on waiting, elsewhere it closes.
WAITS = (WORK_STATUS, CAN_DO_TIMEOUT)

for number, bodies in {
    SUBMIT_JOB: ("", "f", "f\0u"),
    SUBMIT_JOB_BG: ("f\0u",),
    SUBMIT_JOB_HIGH: ("f",),
    SUBMIT_JOB_HIGH_BG: ("f\0u",),
    SUBMIT_JOB_LOW: ("f\0u",),
    SUBMIT_JOB_LOW_BG: ("f",),
    SUBMIT_JOB_EPOCH: ("f\0u\0" + "1",),
    SUBMIT_REDUCE_JOB: ("f\0u\0r\0" + "payload",),
    SUBMIT_REDUCE_JOB_BACKGROUND: ("f\0u\0r",),
    WORK_STATUS: ("H:x:1", "H:x:1\0" + "1"),
    WORK_COMPLETE: ("",),
    WORK_DATA: ("",),
    WORK_WARNING: ("",),
    WORK_EXCEPTION: ("",),
    CAN_DO_TIMEOUT: ("f",),
}.items():
    for length, body in enumerate(bodies):
        name = wire.NAMES[number].lower().replace("_", "-")
        play(
            f"too-few-{name}-{length}",
            _too_few(number, body),
            o.text("status").expect("o: '.\\n'"),
            gearfast_only=number in WAITS,
        )

for number in (WORK_DATA, WORK_WARNING, WORK_EXCEPTION, WORK_COMPLETE):
    play(
        f"bare-handle-{wire.NAMES[number].lower().replace('_', '-')}",
        a(OPTION_REQ, "exceptions"),
        w(CAN_DO, "f"),
        a(SUBMIT_JOB, "f", "", payload=""),
        w(GRAB_JOB),
        (w(number, "<h1>") + w(GRAB_JOB)).expect("w: NO_JOB", f"a: {wire.NAMES[number]} <h1>\\0"),
    )

play(
    "size-too-small",
    a.lies(SUBMIT_JOB_BG, "f\0version\n", size=2).expect(
        "a: ERROR INVALID_PACKET\\0Too few arguments for SUBMIT_JOB_BG", "a: 'OK <version>\\n'"
    ),
    o.text("status"),
)
play(
    "size-zero-text-behind",
    a.lies(ECHO_REQ, "version\n", size=0),
    a.lies(GRAB_JOB, "version\n", size=0),
)
play(
    "size-announced-huge",
    a.lies(ECHO_REQ, size=0xFFFFFFFF).expect(
        "a: ERROR ARGUMENT_TOO_LARGE\\0A packet of 4294967295 bytes is larger than this server takes (268435456)",
        "a: closed",
    ),
    o(ECHO_REQ).expect("o: ECHO_RES"),
    gearfast_only=True,
)
play(
    "size-beyond-max-packet-size",
    a(ECHO_REQ, "x" * 1000),
    a(ECHO_REQ, "x" * 1001).expect(
        "a: ERROR ARGUMENT_TOO_LARGE\\0A packet of 1001 bytes is larger than this server takes (1000)", "a: closed"
    ),
    o(ECHO_REQ),
    gearfast_options=("--max-packet-size=1000",),
)
play("end-in-header", a.part(b"\0REQ\0\0"), a.close(), o.text("version"))
play("end-in-body", a.part(b"\0REQ\0\0\0\x12\0\0\0\x10f\0"), a.close(), o.text("status"))
play("end-in-line", a.part("stat"), a.reset(), o.text("status"))
