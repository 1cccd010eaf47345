"""Names, uniques, handles, options and lines of length 0, the limit, and the limit + 1."""

from __future__ import annotations

from tests.differential.script import Collection, a, o, w
from tests.support.wire import (
    CAN_DO,
    CAN_DO_TIMEOUT,
    CANT_DO,
    ECHO_REQ,
    GET_STATUS,
    GET_STATUS_UNIQUE,
    GRAB_JOB,
    GRAB_JOB_ALL,
    GRAB_JOB_UNIQ,
    OPTION_REQ,
    SET_CLIENT_ID,
    SUBMIT_JOB,
    SUBMIT_JOB_BG,
    SUBMIT_JOB_EPOCH,
    SUBMIT_REDUCE_JOB,
    SUBMIT_REDUCE_JOB_BACKGROUND,
    WORK_COMPLETE,
    WORK_DATA,
    WORK_EXCEPTION,
    WORK_FAIL,
    WORK_STATUS,
    WORK_WARNING,
)

play = Collection()

UNKNOWN = "\\00\\00\\00\\00"

# --- function names ------------------------------------------------------------------------------------

play(
    "name-empty",
    w(CAN_DO, ""),
    a(SUBMIT_JOB, "", "u", payload="x"),
    w(GRAB_JOB),
    o.text("status"),
    o.text("workers"),
    w(CANT_DO, ""),
    o.text("status"),
)
play("name-8191-submit", a(SUBMIT_JOB_BG, "n" * 8191, "", payload="x"), o.text("status"))
play("name-8192-submit", a(SUBMIT_JOB_BG, "n" * 8192, "", payload="x"), o.text("status"))
play("name-8192-can-do", w(CAN_DO, "n" * 8192), o.text("status"))
play("name-8193-can-do", w(CAN_DO, "n" * 8193), o.text("status"))
play("name-2000", w(CAN_DO, "n" * 2000), a(SUBMIT_JOB_BG, "n" * 2000, "", payload="x"), w(GRAB_JOB))
play(
    "name-with-nul",
    w(CAN_DO, b"f\0"),
    a(SUBMIT_JOB_BG, "f", "", payload="x"),
    w(GRAB_JOB),
    w(CANT_DO, "f"),
    w(CAN_DO, "f"),
    w(GRAB_JOB),
)
play(
    "name-any-bytes",
    w(CAN_DO, b"\xff\xfe name\twith\x01"),
    a(SUBMIT_JOB_BG, b"\xff\xfe name\twith\x01", "", payload="x"),
    w(GRAB_JOB),
)

play(
    "name-with-parameters",
    w(CAN_DO, "taken;as=it;is"),
    a(SUBMIT_JOB_BG, "taken;as=it;is", "", payload="x"),
    w(GRAB_JOB),
    a(SUBMIT_JOB_BG, "f;delay=1x", "", payload="x").expect(
        "a: ERROR INVALID_PARAMETER\\0the submit parameter delay has to be a duration of at most 36500d, such as "
        "500ms, 30s, 20m or 1h30m, and not '1x' (--submit-parameters=no reads names as they are)"
    ),
    o.text("status").expect("o: 'taken;as=it;is\\t1\\t1\\t1\\n'", "o: '.\\n'"),
)

# --- unique ids ----------------------------------------------------------------------------------------

play(
    "unique-63",
    a(SUBMIT_JOB_BG, "f", "u" * 63, payload="x"),
    a(SUBMIT_JOB_BG, "f", "u" * 63, payload="y"),
    a(GET_STATUS_UNIQUE, "u" * 63),
    w(CAN_DO, "f"),
    w(GRAB_JOB_UNIQ),
)
play(
    "unique-64",
    a(SUBMIT_JOB_BG, "f", "u" * 64, payload="x"),
    a(SUBMIT_JOB_BG, "f", "u" * 64, payload="y").expect("a: JOB_CREATED <h1>"),
    w(CAN_DO, "f"),
    w(GRAB_JOB_UNIQ).expect("w: JOB_ASSIGN_UNIQ <h1>\\0f\\0" + "u" * 64 + "\\0x"),
    w(GRAB_JOB_UNIQ).expect("w: NO_JOB"),
    o.text("show unique jobs").expect("o: '" + "u" * 64 + "\\n'", "o: '.\\n'"),
)
play(
    "unique-65",
    a(SUBMIT_JOB, "f", "u" * 65, payload="x"),
    a(SUBMIT_JOB_BG, "f", "u" * 65, payload="x"),
    a(SUBMIT_JOB_EPOCH, "f", "u" * 65, "0", payload="x"),
    a(SUBMIT_JOB_BG, "f", "u" * 5000, payload="x"),
    a(SUBMIT_JOB_BG, "f", "u" * 8192, payload="x"),
    o.text("status"),
)
play(
    "unique-empty",
    a(SUBMIT_JOB_BG, "f", "", payload="x"),
    a(SUBMIT_JOB_BG, "f", "", payload="x"),
    a(GET_STATUS_UNIQUE, ""),
    w(CAN_DO, "f"),
    w(GRAB_JOB_UNIQ),
    w(GRAB_JOB_ALL),
)
play(
    "reducer-64",
    a(SUBMIT_REDUCE_JOB, "f", "u", "r" * 64, "0", payload="x"),
    a(SUBMIT_REDUCE_JOB, "f", "v", "r" * 65, "0", payload="x"),
    a(SUBMIT_REDUCE_JOB_BACKGROUND, "f", "v", "r" * 65, "0", payload="x"),
    a(SUBMIT_REDUCE_JOB_BACKGROUND, "f", "w", "r", "0" * 100, payload="x"),
    w(CAN_DO, "f"),
    w(GRAB_JOB_ALL),
    w(GRAB_JOB_ALL),
)
play(
    "reduce-unique-65",
    a(SUBMIT_REDUCE_JOB, "f", "u" * 65, "r", "0", payload="x").expect(
        "a: ERROR ARGUMENT_TOO_LARGE\\0Unique value too large"
    ),
)

# --- handles -------------------------------------------------------------------------------------------

play(
    "handle-empty",
    a(GET_STATUS, ""),
    a(WORK_FAIL, ""),
    a(WORK_COMPLETE, "", payload=""),
    a(WORK_DATA, "", payload=""),
    a(WORK_STATUS, "", "1", "2"),
)
play(
    "handle-63",
    a(GET_STATUS, "H" * 63),
    a(WORK_FAIL, "H" * 63),
    a(WORK_COMPLETE, "H" * 63, payload=""),
)
play(
    "handle-64",
    a(WORK_FAIL, "H" * 64),
    a(WORK_COMPLETE, "H" * 64, payload="x"),
    a(WORK_DATA, "H" * 64, payload="x"),
    a(WORK_WARNING, "H" * 64, payload="x"),
    a(WORK_STATUS, "H" * 64, "1", "2"),
    a(WORK_EXCEPTION, "H" * 64, payload="x"),
    a(WORK_FAIL, "H" * 5000),
)
play("handle-64-get-status", a(GET_STATUS, "H" * 64).expect("a: STATUS_RES " + "H" * 64 + UNKNOWN))
play(
    "unique-65-get-status",
    a(GET_STATUS_UNIQUE, "u" * 65).expect("a: STATUS_RES_UNIQUE " + "u" * 65 + UNKNOWN + "\\00"),
)

# --- options, ids, numbers -----------------------------------------------------------------------------

play(
    "option",
    a(OPTION_REQ, "exceptions"),
    a(OPTION_REQ, "EXCEPtions"),
    a(OPTION_REQ, b"exceptions\0"),
    a(OPTION_REQ, ""),
    a(OPTION_REQ, "exception"),
    a(OPTION_REQ, "exceptions2"),
    a(OPTION_REQ, "x" * 63),
    a(OPTION_REQ, "x" * 64),
    a(OPTION_REQ, "x" * 2000),
)
play(
    "client-id",
    w.text("workers"),
    w(SET_CLIENT_ID, "alice"),
    w.text("workers"),
    w(SET_CLIENT_ID, "two words"),
    w.text("workers"),
    w(SET_CLIENT_ID, ""),
    w.text("workers"),
    w(SET_CLIENT_ID, "i" * 127),
    w.text("workers"),
    w(SET_CLIENT_ID, "j" * 128),
    w.text("workers"),
    w(SET_CLIENT_ID, b"cut\0here"),
    w.text("workers"),
)
play(
    "timeout-number",
    w(CAN_DO_TIMEOUT, "f", "2500"),
    w(CAN_DO_TIMEOUT, "g", "2500x"),
    w(CAN_DO_TIMEOUT, "h", "abc"),
    w(CAN_DO_TIMEOUT, "i", ""),
    w(CAN_DO_TIMEOUT, "j", b"\x00\x00\x01\x00"),
    w(CAN_DO_TIMEOUT, "k", "-5"),
    w(CAN_DO_TIMEOUT, "l", "0" * 19 + "5"),
    o.text("workers"),
    o.text("status"),
)
play(
    "timeout-number-out-of-range",
    w(CAN_DO_TIMEOUT, "f", "9" * 20).expect(
        "w: ERROR ARGUMENT_TOO_LARGE\\0The timeout of CAN_DO_TIMEOUT does not fit 64 bits"
    ),
    o.text("status"),
    gearfast_only=True,
)
play(
    "epoch-number-out-of-range",
    a(SUBMIT_JOB_EPOCH, "f", "", "9" * 30, payload="x").expect(
        "a: ERROR ARGUMENT_TOO_LARGE\\0The time of SUBMIT_JOB_EPOCH does not fit 64 bits"
    ),
)
play(
    "status-denominator-11",
    a(SUBMIT_JOB, "f", "", payload="x"),
    w(CAN_DO, "f"),
    w(GRAB_JOB),
    w(WORK_STATUS, "<h1>", "1", "2" * 10),
    w(WORK_STATUS, "<h1>", "1", "0" * 10 + "9"),
    w(WORK_STATUS, "<h1>", "1" * 30, "7"),
)
play(
    "status-denominator-12",
    a(SUBMIT_JOB, "f", "", payload="x"),
    w(CAN_DO, "f"),
    w(GRAB_JOB),
    w(WORK_STATUS, "<h1>", "1", "0" * 10 + "99").expect(r"a: WORK_STATUS <h1>\01\0000000000099"),
)

# --- lines ---------------------------------------------------------------------------------------------

play("line-8191", a.text("x" * 8191), a(ECHO_REQ))
play("line-8192", a.text("x" * 8192), o(ECHO_REQ))
play("line-endless", a.raw("x" * 20000), o(ECHO_REQ))
play("tokens-5", a.text("version a b c d"), a.text("status 2 3 4 5"))
play("tokens-6", a.text("version 2 3 4 5 6"), o(ECHO_REQ))
play("tokens-6-spaces", a.text("version  2   3 4 5 "), o(ECHO_REQ))
