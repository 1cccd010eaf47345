"""Progress and results, and who gets them; status queries."""

from __future__ import annotations

from tests.differential.script import H1, Collection, Step, a, b, o, v, w
from tests.support.wire import (
    CAN_DO,
    GET_STATUS,
    GET_STATUS_UNIQUE,
    GRAB_JOB,
    NAMES,
    OPTION_REQ,
    PRE_SLEEP,
    SUBMIT_JOB,
    SUBMIT_JOB_BG,
    WORK_COMPLETE,
    WORK_DATA,
    WORK_EXCEPTION,
    WORK_FAIL,
    WORK_STATUS,
    WORK_WARNING,
)

play = Collection()

GRAB = w(CAN_DO, "f") + w(GRAB_JOB)


def _all_forms(handle: str, peer: str = "w") -> list[Step]:
    speaker = {"w": w, "v": v, "a": a}[peer]
    return [
        speaker(WORK_DATA, handle, payload="d"),
        speaker(WORK_WARNING, handle, payload="w"),
        speaker(WORK_STATUS, handle, "1", "2"),
        speaker(WORK_EXCEPTION, handle, payload="e"),
        speaker(WORK_FAIL, handle),
        speaker(WORK_COMPLETE, handle, payload="c"),
    ]


play(
    "work-all-forms",
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    w(WORK_DATA, H1, payload=b"data\0with nul"),
    w(WORK_DATA, H1, payload=""),
    w(WORK_WARNING, H1, payload="careful"),
    w(WORK_STATUS, H1, "3", "10"),
    a(GET_STATUS, H1),
    w(WORK_COMPLETE, H1, payload="result"),
    a(GET_STATUS, H1),
)
for number in (WORK_COMPLETE, WORK_EXCEPTION, WORK_DATA, WORK_WARNING):
    play(
        f"{NAMES[number].lower().replace('_', '-')}-for-background",
        a(SUBMIT_JOB_BG, "f", "", payload="x"),
        GRAB,
        w(number, H1, payload="nobody listens"),
        a(GET_STATUS, H1),
    )
play(
    "work-status-for-background",
    a(SUBMIT_JOB_BG, "f", "u", payload="x"),
    GRAB,
    w(WORK_STATUS, H1, "3", "10"),
    o(GET_STATUS, H1),
    o(GET_STATUS_UNIQUE, "u"),
)
play(
    "work-fail",
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    w(WORK_FAIL, H1),
    w(WORK_FAIL, H1),
    o.text("status"),
)
play("work-fail-with-nul", a(SUBMIT_JOB, "f", "", payload="x"), GRAB, w(WORK_FAIL, H1 + "\0junk"))
play("work-fail-with-bare-nul", a(SUBMIT_JOB, "f", "", payload="x"), GRAB, w(WORK_FAIL, H1 + "\0"))
play("work-unknown-job", *_all_forms("H:nowhere:99"))
play("work-strange-handle", *_all_forms("no handle at all"))
play(
    "work-not-mine",
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    v(CAN_DO, "f"),
    *_all_forms(H1, "v"),
    *_all_forms(H1, "a"),
    w(WORK_COMPLETE, H1, payload="mine"),
)
play("work-not-taken", a(SUBMIT_JOB, "f", "", payload="x"), w(CAN_DO, "f"), *_all_forms(H1))
play(
    "work-after-end",
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    w(WORK_COMPLETE, H1, payload="done"),
    w(WORK_COMPLETE, H1, payload="again"),
    w(WORK_DATA, H1, payload="again"),
    w(WORK_STATUS, H1, "1", "2"),
)
play(
    "work-status-numbers",
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    *(
        step
        for pair in (("-3", "-1"), ("abc", ""), ("1.5x", " 7"), ("5000000000", "4294967296"), ("", "0x10"))
        for step in (w(WORK_STATUS, H1, *pair), a(GET_STATUS, H1))
    ),
)
play(
    "work-data-in-order",
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    sum((w(WORK_DATA, H1, payload=str(n)) for n in range(1, 30)), w(WORK_DATA, H1, payload="0"))
    + w(WORK_COMPLETE, H1, payload="end"),
)
play(
    "work-late-attacher",
    a(SUBMIT_JOB, "f", "u", payload="x"),
    GRAB,
    w(WORK_DATA, H1, payload="before"),
    b(SUBMIT_JOB, "f", "u", payload="x"),
    w(WORK_DATA, H1, payload="after"),
    w(WORK_COMPLETE, H1, payload="end"),
)
play(
    "work-client-left",
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    a.close(),
    o(GET_STATUS, H1),
    w(WORK_DATA, H1, payload="to nobody"),
    w(WORK_STATUS, H1, "1", "2"),
    o.text("status"),
    w(WORK_COMPLETE, H1, payload="to nobody"),
    o.text("status"),
    o.text("show jobs"),
)
play(
    "work-one-client-left",
    a(SUBMIT_JOB, "f", "u", payload="x"),
    b(SUBMIT_JOB, "f", "u", payload="x"),
    GRAB,
    a.close(),
    w(WORK_COMPLETE, H1, payload="to b"),
)
play(
    "complete-and-grab",
    a(SUBMIT_JOB, "f", "", payload="1"),
    a(SUBMIT_JOB, "f", "", payload="2"),
    GRAB,
    w(WORK_COMPLETE, H1, payload="r1") + w(GRAB_JOB),
    w(WORK_COMPLETE, "<h2>", payload="r2") + w(GRAB_JOB) + w(PRE_SLEEP),
)

# --- exceptions ----------------------------------------------------------------------------------------

play(
    "exception-wanted",
    a(OPTION_REQ, "exceptions"),
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    w(WORK_EXCEPTION, H1, payload=b"it\0broke"),
    a(GET_STATUS, H1),
)
play(
    "exception-not-wanted",
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    w(WORK_EXCEPTION, H1, payload="it broke").expect("a: WORK_FAIL <h1>"),
    a(GET_STATUS, H1),
)
play(
    "exception-two-clients",
    a(OPTION_REQ, "exceptions"),
    a(SUBMIT_JOB, "f", "u", payload="x"),
    b(SUBMIT_JOB, "f", "u", payload="x"),
    GRAB,
    w(WORK_EXCEPTION, H1, payload="it broke").expect("a: WORK_EXCEPTION <h1>\\0it broke", "b: WORK_FAIL <h1>"),
)
play(
    "exception-then-fail",
    a(OPTION_REQ, "exceptions"),
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    w(WORK_EXCEPTION, H1, payload="it broke"),
    w(WORK_FAIL, H1).expect(),
    w(WORK_FAIL, H1),
)
play(
    "exception-then-complete",
    a(OPTION_REQ, "exceptions"),
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    w(WORK_EXCEPTION, H1, payload="it broke"),
    w(WORK_COMPLETE, H1, payload="all the same"),
)
play(
    "exception-by-default",
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    w(WORK_EXCEPTION, H1, payload="it broke"),
    options=("--exceptions",),
)

# --- status queries ------------------------------------------------------------------------------------

play(
    "get-status",
    o(GET_STATUS, "H:nowhere:7"),
    o(GET_STATUS, "no handle"),
    a(SUBMIT_JOB, "f", "u", payload="x"),
    o(GET_STATUS, H1),
    GRAB,
    o(GET_STATUS, H1),
    w(WORK_STATUS, H1, "1", "4"),
    o(GET_STATUS, H1),
    o(GET_STATUS, H1 + "\0junk"),
    o(GET_STATUS, b"<h1>\0"),
    w(WORK_COMPLETE, H1, payload=""),
    o(GET_STATUS, H1),
)
play(
    "get-status-unique",
    o(GET_STATUS_UNIQUE, "u"),
    a(SUBMIT_JOB, "f", "u", payload="x"),
    o(GET_STATUS_UNIQUE, "u"),
    b(SUBMIT_JOB_BG, "f", "u", payload="x"),
    o(GET_STATUS_UNIQUE, "u"),
    b(SUBMIT_JOB, "f", "u", payload="x"),
    o(GET_STATUS_UNIQUE, "u"),
    GRAB,
    w(WORK_STATUS, H1, "1", "4"),
    o(GET_STATUS_UNIQUE, "u"),
    o(GET_STATUS_UNIQUE, "u\0junk"),
    a.close(),
    o(GET_STATUS_UNIQUE, "u"),
    w(WORK_COMPLETE, H1, payload=""),
    o(GET_STATUS_UNIQUE, "u"),
)
play(
    "handle-prefix",
    a(SUBMIT_JOB_BG, "f", "", payload="x"),
    a(SUBMIT_JOB_BG, "f", "", payload="y"),
    o.text("show jobs"),
    GRAB,
    o(GET_STATUS, "PRE:1"),
    o(GET_STATUS, "PRE:2"),
    o(GET_STATUS, "PRE:3"),
    options=("--job-handle-prefix=PRE",),
)
