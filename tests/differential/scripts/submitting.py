"""Submitting: the six plain types, coalescing, limits of a queue, reduce and delayed jobs."""

from __future__ import annotations

from tests.differential.script import Collection, a, b, o, w
from tests.support.wire import (
    CAN_DO,
    GET_STATUS,
    GET_STATUS_UNIQUE,
    GRAB_JOB,
    GRAB_JOB_ALL,
    GRAB_JOB_UNIQ,
    NAMES,
    PRE_SLEEP,
    SUBMIT_JOB,
    SUBMIT_JOB_BG,
    SUBMIT_JOB_EPOCH,
    SUBMIT_JOB_HIGH,
    SUBMIT_JOB_HIGH_BG,
    SUBMIT_JOB_LOW,
    SUBMIT_JOB_LOW_BG,
    SUBMIT_JOB_SCHED,
    SUBMIT_REDUCE_JOB,
    SUBMIT_REDUCE_JOB_BACKGROUND,
    WORK_COMPLETE,
    WORK_DATA,
    WORK_FAIL,
)

play = Collection()

FOREGROUND = (SUBMIT_JOB, SUBMIT_JOB_HIGH, SUBMIT_JOB_LOW)
BACKGROUND = (SUBMIT_JOB_BG, SUBMIT_JOB_HIGH_BG, SUBMIT_JOB_LOW_BG)

for number in (*FOREGROUND, *BACKGROUND):
    play(
        NAMES[number].lower().replace("_", "-"),
        a(number, "f", "u", payload=b"pay\0load"),
        o.text("prioritystatus"),
        o.text("show jobs"),
        w(CAN_DO, "f") + w(GRAB_JOB_UNIQ),
        w(WORK_COMPLETE, "<h1>", payload=b"re\0sult"),
        a(GET_STATUS, "<h1>"),
    )
play(
    "submit-sched",
    a(SUBMIT_JOB_SCHED, "f", "u", "1", "2", "3", "4", "5", payload="x").expect("a: JOB_CREATED <h1>"),
    a(SUBMIT_JOB_SCHED, "f", "v", "60", "", "", "", "", payload="x").expect(
        "a: ERROR INVALID_PARAMETER\\0the minute of a cron has to be 0 to 59, also such as * or 1-5 or 1,3 "
        "or */2, not '60'"
    ),
    o.text("show jobs"),
    w(CAN_DO, "f") + w(GRAB_JOB),
)
play(
    "submit-empty-payload",
    a(SUBMIT_JOB, "f", "", payload=""),
    a(SUBMIT_JOB, "f", "u", payload=""),
    w(CAN_DO, "f") + w(GRAB_JOB) + w(GRAB_JOB_UNIQ),
    w(WORK_COMPLETE, "<h1>", payload=""),
    w(WORK_FAIL, "<h2>"),
)
play(
    "submit-pipelined",
    a(SUBMIT_JOB_BG, "f", "", payload="1")
    + a(SUBMIT_JOB_BG, "f", "u" * 65, payload="refused")
    + a(SUBMIT_JOB, "g", "", payload="2")
    + a(SUBMIT_JOB_HIGH_BG, "f", "", payload="3")
    + a.text("status"),
)
play(
    "submit-from-two",
    a(SUBMIT_JOB, "f", "", payload="for a"),
    b(SUBMIT_JOB, "f", "", payload="for b"),
    w(CAN_DO, "f") + w(GRAB_JOB) + w(GRAB_JOB),
    w(WORK_COMPLETE, "<h2>", payload="b") + w(WORK_COMPLETE, "<h1>", payload="a"),
)

# --- coalescing ----------------------------------------------------------------------------------------

play(
    "coalesce-foreground",
    a(SUBMIT_JOB, "f", "u", payload="first"),
    b(SUBMIT_JOB_HIGH, "f", "u", payload="second"),
    a(GET_STATUS_UNIQUE, "u"),
    o.text("prioritystatus"),
    w(CAN_DO, "f") + w(GRAB_JOB_UNIQ) + w(GRAB_JOB_UNIQ),
    w(WORK_DATA, "<h1>", payload="part"),
    w(WORK_COMPLETE, "<h1>", payload="whole"),
    a(SUBMIT_JOB, "f", "u", payload="a new one"),
)
play(
    "coalesce-background",
    a(SUBMIT_JOB_BG, "f", "u", payload="first"),
    b(SUBMIT_JOB_LOW_BG, "f", "u", payload="second"),
    o.text("show unique jobs"),
    w(CAN_DO, "f") + w(GRAB_JOB) + w(GRAB_JOB),
    b(SUBMIT_JOB_BG, "f", "u", payload="while running"),
    w(WORK_COMPLETE, "<h1>", payload="x"),
    w(GRAB_JOB),
)
play(
    "coalesce-foreground-on-background",
    a(SUBMIT_JOB_BG, "f", "u", payload="first"),
    b(SUBMIT_JOB, "f", "u", payload="second"),
    a(GET_STATUS_UNIQUE, "u"),
    w(CAN_DO, "f") + w(GRAB_JOB),
    a(SUBMIT_JOB, "f", "u", payload="third, while running"),
    w(WORK_COMPLETE, "<h1>", payload="to both"),
)
play(
    "coalesce-background-on-foreground",
    a(SUBMIT_JOB, "f", "u", payload="first"),
    b(SUBMIT_JOB_BG, "f", "u", payload="second"),
    a(GET_STATUS_UNIQUE, "u"),
    w(CAN_DO, "f") + w(GRAB_JOB),
    w(WORK_COMPLETE, "<h1>", payload="to a"),
)
play(
    "coalesce-background-kept",
    a(SUBMIT_JOB, "f", "u", payload="first"),
    b(SUBMIT_JOB_BG, "f", "u", payload="second"),
    a.close(),
    b(GET_STATUS_UNIQUE, "u"),
    o.text("show jobs").expect("o: '<h1>\\t0\\t0\\t1\\n'", "o: '.\\n'"),
    (w(CAN_DO, "f") + w(GRAB_JOB)).expect("w: JOB_ASSIGN <h1>\\0f\\0first"),
)
play(
    "coalesce-background-keeps-status",
    a(SUBMIT_JOB_BG, "f", "u", payload="first"),
    b(SUBMIT_JOB, "f", "u", payload="second"),
    b.close(),
    o.text("show jobs").expect("o: '<h1>\\t0\\t0\\t1\\n'", "o: '.\\n'"),
    (w(CAN_DO, "f") + w(GRAB_JOB)).expect("w: JOB_ASSIGN <h1>\\0f\\0first"),
)
play(
    "coalesce-same-client-twice",
    a(SUBMIT_JOB, "f", "u", payload="x"),
    a(SUBMIT_JOB, "f", "u", payload="x"),
    a(GET_STATUS_UNIQUE, "u"),
    w(CAN_DO, "f") + w(GRAB_JOB),
    w(WORK_DATA, "<h1>", payload="d"),
    w(WORK_COMPLETE, "<h1>", payload="c"),
)
play(
    "coalesce-by-payload",
    a(SUBMIT_JOB_BG, "f", "-", payload="same"),
    a(SUBMIT_JOB_BG, "f", "-", payload="same"),
    a(SUBMIT_JOB_BG, "f", "-", payload="other"),
    a(SUBMIT_JOB_BG, "f", "-", payload=""),
    a(SUBMIT_JOB_BG, "f", "-", payload=""),
    a(SUBMIT_JOB_BG, "g", "-", payload="same"),
    a(GET_STATUS_UNIQUE, "-"),
    w(CAN_DO, "f") + w(GRAB_JOB_UNIQ) + w(GRAB_JOB_UNIQ),
)
play(
    "coalesce-number-sign",
    a(SUBMIT_JOB_BG, "f", "#", payload="1"),
    a(SUBMIT_JOB_BG, "f", "#", payload="2"),
    a(GET_STATUS_UNIQUE, "#"),
)
play(
    "coalesce-per-function",
    a(SUBMIT_JOB_BG, "f", "u", payload="1"),
    a(SUBMIT_JOB_BG, "g", "u", payload="1"),
    a(SUBMIT_JOB_BG, "f", "U", payload="1"),
    a(SUBMIT_JOB_BG, "f", "", payload="1"),
    a(SUBMIT_JOB_BG, "f", "", payload="1"),
    o.text("show unique jobs"),
    o.text("status"),
)
play(
    "coalesce-wakes-nobody",
    a(SUBMIT_JOB_BG, "f", "u", payload="1"),
    w(CAN_DO, "f") + w(GRAB_JOB) + w(PRE_SLEEP),
    a(SUBMIT_JOB_BG, "f", "u", payload="2"),
    a(SUBMIT_JOB_BG, "f", "u2", payload="2"),
)
play(
    "coalesce-after-fail",
    a(SUBMIT_JOB, "f", "u", payload="1"),
    w(CAN_DO, "f") + w(GRAB_JOB),
    w(WORK_FAIL, "<h1>"),
    a(SUBMIT_JOB, "f", "u", payload="2"),
    w(GRAB_JOB),
)

# --- queue limits --------------------------------------------------------------------------------------

play(
    "maxqueue",
    w(CAN_DO, "f"),
    o.text("maxqueue f 2"),
    a(SUBMIT_JOB_BG, "f", "u", payload="1"),
    a(SUBMIT_JOB_BG, "f", "", payload="2"),
    a(SUBMIT_JOB_BG, "f", "", payload="3"),
    a(SUBMIT_JOB, "f", "", payload="3"),
    a(SUBMIT_JOB_HIGH, "f", "", payload="3"),
    a(SUBMIT_JOB_EPOCH, "f", "", "0", payload="3"),
    a(SUBMIT_JOB_BG, "f", "u", payload="coalesces all the same"),
    w(GRAB_JOB),
    a(SUBMIT_JOB_BG, "f", "", payload="running ones count"),
    w(WORK_COMPLETE, "<h1>", payload=""),
    a(SUBMIT_JOB_BG, "f", "", payload="fits"),
    o.text("maxqueue f"),
    a(SUBMIT_JOB_BG, "f", "", payload="no limit"),
)
play(
    "maxqueue-priorities",
    o.text("create function f", b"\r\n"),
    o.text("maxqueue f 3 2 1"),
    a(SUBMIT_JOB_LOW_BG, "f", "", payload="1"),
    a(SUBMIT_JOB_LOW_BG, "f", "", payload="2"),
    a(SUBMIT_JOB_BG, "f", "", payload="2"),
    a(SUBMIT_JOB_BG, "f", "", payload="3"),
    a(SUBMIT_JOB_HIGH_BG, "f", "", payload="3"),
    a(SUBMIT_JOB_HIGH_BG, "f", "", payload="4"),
    o.text("maxqueue f 5 5"),
    a(SUBMIT_JOB_LOW_BG, "f", "", payload="low is unlimited"),
    o.text("maxqueue f -1"),
    a(SUBMIT_JOB_BG, "f", "", payload="unlimited"),
    o.text("maxqueue f abc"),
    a(SUBMIT_JOB_BG, "f", "", payload="unlimited"),
    o.text("maxqueue F 1"),
    a(SUBMIT_JOB_BG, "f", "", payload="another function"),
    o.text("prioritystatus"),
)

# --- reduce jobs ---------------------------------------------------------------------------------------

for number in (SUBMIT_REDUCE_JOB, SUBMIT_REDUCE_JOB_BACKGROUND):
    play(
        NAMES[number].lower().replace("_", "-"),
        a(number, "f", "u", "reducer", "unused", payload="x"),
        a(number, "f", "u", "other", "", payload="coalesced"),
        a(number, "f", "v", "", "", payload="no reducer"),
        o.text("show jobs"),
        w(CAN_DO, "f") + w(GRAB_JOB_ALL) + w(GRAB_JOB_ALL),
        w(WORK_COMPLETE, "<h1>", payload="done"),
    )

# --- delayed jobs --------------------------------------------------------------------------------------

play(
    "epoch-now",
    *(a(SUBMIT_JOB_EPOCH, "f", "", when, payload=when or "empty") for when in ("", "0", "1", "-5", "soon", "17x")),
    w(CAN_DO, "f"),
    *(w(GRAB_JOB) for _ in range(7)),
)
play(
    "epoch-later",
    w(CAN_DO, "f"),
    a(SUBMIT_JOB_EPOCH, "f", "u", "<now+3600>", payload="later"),
    o.text("status"),
    o.text("prioritystatus"),
    o.text("show jobs"),
    a(GET_STATUS, "<h1>"),
    a(GET_STATUS_UNIQUE, "u"),
    w(GRAB_JOB),
    w(PRE_SLEEP),
    b(SUBMIT_JOB, "f", "u", payload="attached, waits with it"),
    a(SUBMIT_JOB_BG, "f", "", payload="behind it"),
    w(GRAB_JOB),
    w(GRAB_JOB),
)
play(
    "epoch-wakes-nobody-early",
    w(CAN_DO, "f") + w(PRE_SLEEP),
    a(SUBMIT_JOB_EPOCH, "f", "", "<now+3600>", payload="later").expect("a: JOB_CREATED <h1>"),
)
play(
    "epoch-blocks-no-low-job",
    a(SUBMIT_JOB_EPOCH, "f", "", "<now+3600>", payload="later"),
    a(SUBMIT_JOB_LOW_BG, "f", "", payload="low"),
    (w(CAN_DO, "f") + w(GRAB_JOB)).expect("w: JOB_ASSIGN <h2>\\0f\\0low"),
)
play(
    "epoch-due",
    w(CAN_DO, "f") + w(PRE_SLEEP),
    a(SUBMIT_JOB_EPOCH, "f", "", "<now+2>", payload="due").expect("a: JOB_CREATED <h1>"),
    w.waits().expect("w: NOOP"),
    w(GRAB_JOB).expect("w: JOB_ASSIGN <h1>\\0f\\0due"),
    gearfast_only=True,
)
