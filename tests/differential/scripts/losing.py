"""Peers that leave, jobs that go back, jobs that are abandoned, jobs that are cancelled."""

from __future__ import annotations

from tests.differential.script import H1, H2, Collection, a, b, o, v, w
from tests.support.wire import (
    CAN_DO,
    CAN_DO_TIMEOUT,
    CANT_DO,
    GET_STATUS,
    GET_STATUS_UNIQUE,
    GRAB_JOB,
    PRE_SLEEP,
    RESET_ABILITIES,
    SUBMIT_JOB,
    SUBMIT_JOB_BG,
    SUBMIT_JOB_EPOCH,
    SUBMIT_JOB_HIGH_BG,
    WORK_COMPLETE,
    WORK_DATA,
    WORK_FAIL,
    WORK_STATUS,
)

play = Collection()

GRAB = w(CAN_DO, "f") + w(GRAB_JOB)
GRAB_V = v(CAN_DO, "f") + v(GRAB_JOB)
EMPTY = ("o: 'f\\t0\\t0\\t0\\n'", "o: '.\\n'")

# --- back into the queue -------------------------------------------------------------------------------

play(
    "requeue-worker-dies",
    a(SUBMIT_JOB, "f", "u", payload="1"),
    a(SUBMIT_JOB_BG, "f", "", payload="2"),
    GRAB,
    w(WORK_STATUS, H1, "5", "10"),
    w.close(),
    o.text("status"),
    o.text("show jobs"),
    o(GET_STATUS, H1),
    GRAB_V,
    v(GRAB_JOB),
    v(WORK_COMPLETE, H1, payload="second attempt"),
)
play(
    "requeue-worker-reset",
    a(SUBMIT_JOB, "f", "u", payload="1"),
    GRAB,
    w.reset(),
    o.text("status"),
    GRAB_V,
    v(WORK_COMPLETE, H1, payload="second attempt"),
)
play(
    "requeue-several-newest-first",
    *(a(SUBMIT_JOB_BG, "f", "", payload=str(n)) for n in range(4)),
    GRAB + w(GRAB_JOB) + w(GRAB_JOB),
    w.close(),
    GRAB_V + v(GRAB_JOB) + v(GRAB_JOB) + v(GRAB_JOB) + v(GRAB_JOB),
)
play(
    "requeue-wakes",
    v(CAN_DO, "f") + v(PRE_SLEEP),
    w(CAN_DO, "f"),
    a(SUBMIT_JOB_BG, "f", "", payload="1"),
    w(GRAB_JOB),
    v(GRAB_JOB) + v(PRE_SLEEP),
    w.close(),
    v(GRAB_JOB),
)
play(
    "requeue-keeps-priority",
    a(SUBMIT_JOB_HIGH_BG, "f", "", payload="high"),
    a(SUBMIT_JOB_BG, "f", "", payload="normal"),
    GRAB,
    w.close(),
    o.text("prioritystatus"),
    GRAB_V,
)
play(
    "requeue-own-sleep",
    a(SUBMIT_JOB_BG, "f", "", payload="x"),
    GRAB + w(PRE_SLEEP),
    w(CANT_DO, "f").expect(),
)
for name, step in (("cant-do", w(CANT_DO, "f")), ("reset-abilities", w(RESET_ABILITIES))):
    play(
        f"requeue-{name}",
        a(SUBMIT_JOB, "f", "", payload="x"),
        GRAB,
        w(WORK_STATUS, H1, "1", "2"),
        step,
        o.text("status"),
        o.text("show jobs"),
        o(GET_STATUS, H1),
        w(WORK_DATA, H1, payload="late").expect("a: WORK_DATA <h1>\\0late"),
        w(WORK_COMPLETE, H1, payload="late").expect("a: WORK_COMPLETE <h1>\\0late"),
        GRAB_V.expect("v: NO_JOB"),
        v(WORK_COMPLETE, H1, payload="never held").expect(
            "v: ERROR JOB_NOT_FOUND\\0Job given in work result not found"
        ),
    )
play(
    "requeue-grab-again",
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    w(CANT_DO, "f"),
    GRAB,
    w(WORK_COMPLETE, H1, payload="mine again"),
)
for retries in (1, 2):
    play(
        f"job-retries-{retries}",
        a(SUBMIT_JOB, "f", "", payload="x"),
        a(SUBMIT_JOB_BG, "f", "", payload="y"),
        GRAB + w(GRAB_JOB),
        w.close(),
        o.text("show jobs"),
        o.text("status"),
        GRAB_V,
        v(RESET_ABILITIES),
        o.text("status"),
        options=(f"--job-retries={retries}",),
    )
play(
    "job-retries-unlimited",
    a(SUBMIT_JOB, "f", "", payload="x"),
    *(GRAB + w(CANT_DO, "f") for _ in range(5)),
    o.text("show jobs"),
)
play(
    "timeout-requeues",
    v(CAN_DO, "f"),
    w(CAN_DO_TIMEOUT, "f", "5"),
    a(SUBMIT_JOB, "f", "", payload="x"),
    w(GRAB_JOB),
    v(PRE_SLEEP),
    v.waits(),
    o.text("show jobs"),
    v(GRAB_JOB),
    w(WORK_COMPLETE, H1, payload="late").expect("a: WORK_COMPLETE <h1>\\0late"),
    v(WORK_COMPLETE, H1, payload="later still").expect(),
)

# --- abandoned by the client ---------------------------------------------------------------------------

play(
    "abandoned-in-queue",
    a(SUBMIT_JOB, "f", "u", payload="x"),
    a.close(),
    o.text("show jobs").expect("o: '.\\n'"),
    o.text("status").expect(*EMPTY),
    o(GET_STATUS, H1).expect("o: STATUS_RES <h1>\\00\\00\\00\\00"),
    GRAB,
    o.text("status"),
)
play(
    "abandoned-behind-a-live-one",
    a(SUBMIT_JOB, "f", "", payload="abandoned"),
    b(SUBMIT_JOB, "f", "", payload="live"),
    a.close(),
    GRAB,
    w(GRAB_JOB),
)
play(
    "abandoned-then-pre-sleep",
    a(SUBMIT_JOB, "f", "", payload="x"),
    a.reset(),
    w(CAN_DO, "f") + w(PRE_SLEEP),
    o.text("status"),
)
play(
    "abandoned-submitted-again",
    a(SUBMIT_JOB, "f", "u", payload="x"),
    a.close(),
    b(SUBMIT_JOB_BG, "f", "u", payload="y").expect("b: JOB_CREATED <h2>"),
    GRAB.expect("w: JOB_ASSIGN <h2>\\0f\\0y"),
)
play(
    "abandoned-running-submitted-again",
    a(SUBMIT_JOB, "f", "u", payload="x"),
    GRAB,
    a.close(),
    b(SUBMIT_JOB, "f", "u", payload="y").expect("b: JOB_CREATED <h2>"),
    w(WORK_COMPLETE, H1, payload="of the first").expect(),
    w(GRAB_JOB).expect("w: JOB_ASSIGN <h2>\\0f\\0y"),
)
play(
    "abandoned-by-both",
    a(SUBMIT_JOB, "f", "u", payload="x"),
    GRAB,
    a.close(),
    w.close(),
    o.text("status").expect(*EMPTY),
    GRAB_V,
    o.text("show jobs"),
)
play(
    "abandoned-one-of-two",
    a(SUBMIT_JOB, "f", "u", payload="x"),
    b(SUBMIT_JOB, "f", "u", payload="x"),
    a.close(),
    o.text("show jobs"),
    o(GET_STATUS_UNIQUE, "u"),
    GRAB,
    w(WORK_COMPLETE, H1, payload="to b"),
)
play(
    "background-survives",
    (a(SUBMIT_JOB_BG, "f", "", payload="1") + a(SUBMIT_JOB_BG, "f", "", payload="2")),
    a.close(),
    o.text("status"),
    GRAB + w(GRAB_JOB) + w(GRAB_JOB),
)

# --- cancelled -----------------------------------------------------------------------------------------

play(
    "cancel-queued",
    a(SUBMIT_JOB, "f", "u", payload="x"),
    b(SUBMIT_JOB, "f", "u", payload="x"),
    o.text("cancel job <h1>"),
    o.text("status").expect(*EMPTY),
    o.text("show jobs").expect("o: '.\\n'"),
    o.text("cancel job <h1>").expect("o: 'ERR UNKNOWN_JOB\\r\\n'"),
    a(GET_STATUS, H1).expect("a: STATUS_RES <h1>\\00\\00\\00\\00"),
    GRAB,
)
play(
    "cancel-background",
    a(SUBMIT_JOB_BG, "f", "u", payload="x"),
    o.text("cancel job <h1>"),
    GRAB,
    o.text("status"),
)
play(
    "cancel-then-submit-again",
    a(SUBMIT_JOB_BG, "f", "u", payload="x"),
    o.text("cancel job <h1>"),
    a(SUBMIT_JOB_BG, "f", "u", payload="y").expect("a: JOB_CREATED <h2>"),
    GRAB.expect("w: JOB_ASSIGN <h2>\\0f\\0y"),
)
play(
    "cancel-running",
    a(SUBMIT_JOB, "f", "u", payload="x"),
    GRAB,
    o.text("cancel job <h1>"),
    o.text("status").expect("o: 'f\\t0\\t0\\t1\\n'", "o: '.\\n'"),
    w(WORK_DATA, H1, payload="late").expect(),
    w(WORK_COMPLETE, H1, payload="late").expect(),
    w(GRAB_JOB),
)
play(
    "cancel-running-worker-dies",
    a(SUBMIT_JOB_BG, "f", "u", payload="x"),
    GRAB,
    o.text("cancel job <h1>"),
    w.close(),
    GRAB_V,
    o.text("status"),
)
play(
    "cancel-delayed",
    a(SUBMIT_JOB_EPOCH, "f", "u", "<now+3600>", payload="x"),
    o.text("cancel job <h1>"),
    o.text("status").expect(*EMPTY),
)
play(
    "cancel-one-of-many",
    *(a(SUBMIT_JOB_BG, "f", "", payload=str(n)) for n in range(3)),
    o.text(f"cancel job {H2}"),
    GRAB + w(GRAB_JOB) + w(GRAB_JOB),
)
play(
    "cancel-unknown",
    o.text("cancel job H:nowhere:5"),
    o.text("cancel job nonsense"),
    o.text("cancel job"),
    o.text("cancel"),
    o.text("cancel jobs <h1>"),
    o.text("cancel job H:nowhere:5 extra"),
    o.text("cancel job " + "H" * 64),
    o.text("CANCEL JOB H:nowhere:5"),
)
play(
    "cancel-finished",
    a(SUBMIT_JOB, "f", "", payload="x"),
    GRAB,
    w(WORK_FAIL, H1),
    o.text("cancel job <h1>"),
)
