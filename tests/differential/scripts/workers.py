"""Abilities, sleeping and waking, taking work."""

from __future__ import annotations

from tests.differential.script import Collection, Step, a, b, o, v, w
from tests.support.wire import (
    CAN_DO,
    CAN_DO_TIMEOUT,
    CANT_DO,
    ECHO_REQ,
    GRAB_JOB,
    GRAB_JOB_ALL,
    GRAB_JOB_UNIQ,
    PRE_SLEEP,
    RESET_ABILITIES,
    SUBMIT_JOB,
    SUBMIT_JOB_BG,
    SUBMIT_JOB_HIGH_BG,
    SUBMIT_JOB_LOW_BG,
    SUBMIT_REDUCE_JOB_BACKGROUND,
    WORK_COMPLETE,
    WORK_FAIL,
)

play = Collection()


def _queue(*names: str) -> list[Step]:
    """Background jobs; the letter of the priority is in the name, as in f-h1."""
    types = {"h": SUBMIT_JOB_HIGH_BG, "n": SUBMIT_JOB_BG, "l": SUBMIT_JOB_LOW_BG}
    return [a(types[name[2]], name[0], "", payload=name) for name in names]


# --- abilities -----------------------------------------------------------------------------------------

play(
    "can-do",
    w(CAN_DO, "f"),
    o.text("status"),
    o.text("workers"),
    w(CAN_DO, "g"),
    o.text("workers"),
    v(CAN_DO, "g"),
    o.text("status"),
    o.text("prioritystatus"),
    w(CANT_DO, "g"),
    o.text("workers"),
    w(CANT_DO, "nobody knows it"),
    w(RESET_ABILITIES),
    o.text("status"),
    o.text("workers"),
)
play(
    "can-do-repeated",
    w(CAN_DO, "f") + w(CAN_DO, "f") + w(CAN_DO, "f"),
    o.text("status").expect("o: 'f\\t0\\t0\\t1\\n'", "o: '.\\n'"),
    w(CAN_DO, "g") + w(CAN_DO, "f"),
    o.text("workers").expect(
        "o: '<fd> 127.0.0.1 - : f g\\n'", "o: '<fd> 127.0.0.1 - :\\n'", "o: '<fd> 127.0.0.1 - :\\n'", "o: '.\\n'"
    ),
    w(CANT_DO, "f"),
    o.text("workers"),
)
play(
    "can-do-after-jobs",
    w(CAN_DO, "f"),
    w(PRE_SLEEP),
    a(SUBMIT_JOB_BG, "g", "", payload="x"),
    w(CAN_DO, "g"),
    w(GRAB_JOB),
)
play(
    "can-do-while-running",
    w(CAN_DO, "f"),
    a(SUBMIT_JOB, "f", "", payload="x"),
    w(GRAB_JOB),
    w(CAN_DO, "f"),
    w(CAN_DO_TIMEOUT, "g", "10000"),
    w(CANT_DO, "g"),
    w(WORK_COMPLETE, "<h1>", payload="kept"),
)
play(
    "worker-leaves",
    w(CAN_DO, "f") + w(CAN_DO, "g"),
    v(CAN_DO, "f"),
    o.text("status"),
    w.close(),
    o.text("status"),
    v.reset(),
    o.text("status"),
    o.text("workers"),
)

# --- sleeping ------------------------------------------------------------------------------------------

play("sleep-without-abilities", w(PRE_SLEEP), a(SUBMIT_JOB_BG, "f", "", payload="x"), w(GRAB_JOB))
play(
    "sleep-with-work",
    a(SUBMIT_JOB_BG, "f", "", payload="1"),
    w(CAN_DO, "f") + w(PRE_SLEEP),
    a(SUBMIT_JOB_BG, "f", "", payload="not asleep, not woken"),
    w(PRE_SLEEP),
    w(GRAB_JOB),
    w(GRAB_JOB),
    w(GRAB_JOB),
)
play(
    "sleep-and-wake",
    w(CAN_DO, "f") + w(GRAB_JOB) + w(PRE_SLEEP),
    a(SUBMIT_JOB_BG, "g", "", payload="not for w"),
    a(SUBMIT_JOB_BG, "f", "", payload="1"),
    a(SUBMIT_JOB_BG, "f", "", payload="2"),
    w(GRAB_JOB),
    a(SUBMIT_JOB_BG, "f", "", payload="awake"),
    w(GRAB_JOB) + w(GRAB_JOB) + w(GRAB_JOB) + w(PRE_SLEEP),
    a(SUBMIT_JOB_HIGH_BG, "f", "", payload="4"),
)
play(
    "sleep-disturbed",
    w(CAN_DO, "f") + w(PRE_SLEEP),
    w(ECHO_REQ, "still asleep"),
    w(SUBMIT_JOB_BG, "g", "", payload="still asleep"),
    w.text("version"),
    a(SUBMIT_JOB_BG, "f", "", payload="1"),
    w(PRE_SLEEP),
    w(GRAB_JOB),
)
play("grab-wakes", w(CAN_DO, "f") + w(PRE_SLEEP) + w(GRAB_JOB), a(SUBMIT_JOB_BG, "f", "", payload="x"))
play(
    "sleeper-submits",
    w(CAN_DO, "f") + w(PRE_SLEEP),
    w(SUBMIT_JOB, "f", "", payload="to myself"),
    w(GRAB_JOB),
    w(WORK_COMPLETE, "<h1>", payload="from myself"),
)
play(
    "sleeper-of-many",
    w(CAN_DO, "f") + w(CAN_DO, "g") + w(CAN_DO, "h") + w(PRE_SLEEP),
    a(SUBMIT_JOB_BG, "g", "", payload="1"),
    a(SUBMIT_JOB_BG, "f", "", payload="2"),
)
play(
    "noop-then-pre-sleep",
    w(CAN_DO, "f") + w(PRE_SLEEP),
    v(CAN_DO, "f"),
    a(SUBMIT_JOB_BG, "f", "", payload="1"),
    v(GRAB_JOB),
    w(PRE_SLEEP),
    a(SUBMIT_JOB_BG, "f", "", payload="2").expect("a: JOB_CREATED <h2>", "w: NOOP"),
    w(GRAB_JOB),
)
play(
    "wake-one",
    w(CAN_DO, "f") + w(PRE_SLEEP),
    v(CAN_DO, "f") + v(PRE_SLEEP),
    a(SUBMIT_JOB_BG, "f", "", payload="1").expect("a: JOB_CREATED <h1>", "w: NOOP"),
)
play(
    "wake-next-when-one-does-not-grab",
    w(CAN_DO, "f") + w(PRE_SLEEP),
    v(CAN_DO, "f") + v(PRE_SLEEP),
    a(SUBMIT_JOB_BG, "f", "", payload="1"),
    v.waits().expect("v: NOOP"),
    v(GRAB_JOB).expect("v: JOB_ASSIGN <h1>\\0f\\01"),
    gearfast_options=("--worker-wakeup-grace=20",),
    gearfast_only=True,
)
play(
    "wakeup-1",
    w(CAN_DO, "f") + w(PRE_SLEEP),
    v(CAN_DO, "f") + v(PRE_SLEEP),
    b(CAN_DO, "f") + b(PRE_SLEEP),
    *(a(SUBMIT_JOB_BG, "f", "", payload=str(n)) for n in range(4)),
    options=("--worker-wakeup=1",),
)
play(
    "wakeup-2",
    w(CAN_DO, "f") + w(PRE_SLEEP),
    v(CAN_DO, "f") + v(PRE_SLEEP),
    b(CAN_DO, "f") + b(PRE_SLEEP),
    o(CAN_DO, "f") + o(PRE_SLEEP),
    *(a(SUBMIT_JOB_BG, "f", "", payload=str(n)) for n in range(3)),
    options=("--worker-wakeup=2",),
)
play(
    "wakeup-all",
    w(CAN_DO, "f") + w(PRE_SLEEP),
    v(CAN_DO, "f") + v(PRE_SLEEP),
    b(CAN_DO, "f") + b(PRE_SLEEP),
    a(SUBMIT_JOB_BG, "f", "", payload="1"),
    a(SUBMIT_JOB_BG, "f", "", payload="2"),
    gearfast_options=("--worker-wakeup=all",),
)

# --- taking work ---------------------------------------------------------------------------------------

play("grab-nothing", w(GRAB_JOB), w(GRAB_JOB_UNIQ), w(GRAB_JOB_ALL), w(CAN_DO, "f") + w(GRAB_JOB))
play(
    "grab-forms",
    a(SUBMIT_JOB_BG, "f", "u1", payload="1"),
    a(SUBMIT_JOB_BG, "f", "u2", payload="2"),
    a(SUBMIT_JOB_BG, "f", "u3", payload="3"),
    *(a(SUBMIT_REDUCE_JOB_BACKGROUND, "f", f"r{n}", "red", "", payload=str(n)) for n in (4, 5, 6)),
    w(CAN_DO, "f"),
    w(GRAB_JOB),
    w(GRAB_JOB_UNIQ),
    w(GRAB_JOB_ALL),
    w(GRAB_JOB),
    w(GRAB_JOB_UNIQ),
    w(GRAB_JOB_ALL),
)
play(
    "grab-many-at-once",
    *_queue("f-n1", "f-n2", "f-n3"),
    w(CAN_DO, "f") + w(GRAB_JOB) + w(GRAB_JOB) + w(GRAB_JOB) + w(GRAB_JOB),
    o.text("status"),
    w(WORK_COMPLETE, "<h2>", payload=""),
    w(WORK_FAIL, "<h1>"),
    o.text("status"),
    o.text("show jobs"),
)
play(
    "order-of-priorities",
    *_queue("f-l1", "f-n1", "f-h1", "f-l2", "f-n2", "f-h2"),
    o.text("prioritystatus"),
    w(CAN_DO, "f"),
    *(w(GRAB_JOB) for _ in range(7)),
    o.text("prioritystatus"),
)
play(
    "order-two-workers",
    *_queue("f-n1", "f-n2", "f-n3"),
    w(CAN_DO, "f") + w(GRAB_JOB),
    v(CAN_DO, "f") + v(GRAB_JOB),
    w(GRAB_JOB),
    v(GRAB_JOB),
)
NINE = [f"{function}-{priority}{n}" for priority in "lnh" for function in "fgh" for n in "12"]
play(
    "order-over-functions-round-robin",
    *_queue(*NINE),
    w(CAN_DO, "f") + w(CAN_DO, "g") + w(CAN_DO, "h"),
    *(w(GRAB_JOB) for _ in range(19)),
    options=("--round-robin",),
)
play(
    "order-newest-ability-first",
    *_queue("f-n1", "g-n1", "h-n1"),
    w(CAN_DO, "f") + w(CAN_DO, "g") + w(CAN_DO, "h"),
    *(w(GRAB_JOB) for _ in range(4)),
)
play(
    "order-rotates",
    *_queue("f-n1", "f-n2", "g-n1", "g-n2"),
    w(CAN_DO, "f") + w(CAN_DO, "g"),
    w(GRAB_JOB),
    w(GRAB_JOB).expect("w: JOB_ASSIGN <h1>\\0f\\0f-n1"),
    w(GRAB_JOB).expect("w: JOB_ASSIGN <h4>\\0g\\0g-n2"),
    w(GRAB_JOB),
)
play(
    "order-priority-over-functions",
    *_queue("g-l1", "f-h1", "g-n1"),
    w(CAN_DO, "f") + w(CAN_DO, "g"),
    w(GRAB_JOB).expect("w: JOB_ASSIGN <h2>\\0f\\0f-h1"),
    w(GRAB_JOB).expect("w: JOB_ASSIGN <h3>\\0g\\0g-n1"),
    w(GRAB_JOB).expect("w: JOB_ASSIGN <h1>\\0g\\0g-l1"),
)
play(
    "order-after-cant-do",
    *_queue("f-n1", "g-n1", "h-n1"),
    w(CAN_DO, "f") + w(CAN_DO, "g") + w(CAN_DO, "h") + w(CANT_DO, "h"),
    *(w(GRAB_JOB) for _ in range(3)),
    w(RESET_ABILITIES) + w(GRAB_JOB),
)
