"""The text commands, said well and badly."""

from __future__ import annotations

from tests.differential.script import H1, Collection, a, b, o, w
from tests.support.wire import (
    CAN_DO,
    ECHO_REQ,
    GRAB_JOB,
    SET_CLIENT_ID,
    SUBMIT_JOB,
    SUBMIT_JOB_BG,
    SUBMIT_JOB_HIGH_BG,
    SUBMIT_JOB_LOW_BG,
    WORK_COMPLETE,
)

play = Collection()

for command in ("version", "getpid", "verbose", "status", "prioritystatus", "workers", "show jobs", "show unique jobs"):
    name = command.replace(" ", "-")
    play(
        f"admin-{name}",
        o.text(command),
        o.text(command, b"\r\n"),
        o.text(command.upper()),
        o.text(command.replace(" ", "   ")),
        o.text(command + " "),
        o.text(command + " extra"),
        o.text(" " + command),
        o.text(command + "\t"),
        o.text(command, b"\r\r\n"),
    )
play(
    "admin-full-tables",
    (w(SET_CLIENT_ID, "worker-1") + w(CAN_DO, "f") + w(CAN_DO, "g")),
    a(SUBMIT_JOB_BG, "f", "u1", payload="1"),
    a(SUBMIT_JOB_LOW_BG, "f", "u2", payload="2"),
    a(SUBMIT_JOB_HIGH_BG, "g", "", payload="3"),
    b(SUBMIT_JOB, "h", "u3", payload="4"),
    w(GRAB_JOB),
    o.text("status"),
    o.text("prioritystatus"),
    o.text("workers"),
    o.text("show jobs"),
    o.text("show unique jobs"),
    o.text("status") + o.text("version") + o.text("show jobs"),
)
play(
    "admin-unknown",
    o.text("xyz"),
    o.text("xyz a b"),
    o.text("XyZ"),
    o.text(""),
    o.text("", b"\r\n"),
    o.text(" "),
    o.text("\t"),
    o.text("statu"),
    o.text("status2"),
    o.text("shutdown"),
    o.text("shutdown graceful"),
    o.text(b"\xff\xfe"),
    o(ECHO_REQ, "still in step"),
)
play(
    "admin-show",
    o.text("show"),
    o.text("show "),
    o.text("show nothing"),
    o.text("show jobs extra"),
    o.text("show unique"),
    o.text("show unique nothing"),
    o.text("show unique jobs extra"),
    o.text("SHOW UNIQUE JOBS"),
)
play(
    "admin-create-function",
    o.text("create function abc", b"\r\n"),
    o.text("status"),
    o.text("create function abc", b"\r\n"),
    o.text("CREATE FUNCTION Abc", b"\r\n"),
    o.text("create"),
    o.text("create function"),
    o.text("create abc"),
    o.text("create functions abc"),
    o.text("create function abc extra"),
    o.text("status"),
)
play(
    "admin-create-function-lf",
    o.text("create function abc"),
    o.text("status").expect("o: 'abc\\t0\\t0\\t0\\n'", "o: '.\\n'"),
)
play(
    "admin-create-function-empty",
    o.text("create function ").expect("o: 'OK\\r\\n'"),
    gearfast_only=True,
)
play(
    "admin-drop-function",
    o.text("create function f", b"\r\n"),
    o.text("drop function f"),
    o.text("status"),
    o.text("drop function f"),
    o.text("drop"),
    o.text("drop function"),
    o.text("drop f"),
    o.text("drop function a b"),
    o.text("create function Mixed", b"\r\n"),
    o.text("drop function mIXED", b"\r\n"),
    o.text("status"),
)
play(
    "admin-drop-function-in-use",
    w(CAN_DO, "f"),
    o.text("drop function f"),
    a(SUBMIT_JOB, "f", "", payload="x"),
    w(GRAB_JOB),
    o.text("drop function f"),
    w(WORK_COMPLETE, H1, payload=""),
    w.close(),
    o.text("drop function f"),
    o.text("status"),
)
play(
    "admin-drop-function-with-jobs",
    a(SUBMIT_JOB_BG, "f", "", payload="x"),
    o.text("drop function f").expect("o: 'ERR there are still connected workers or executing clients\\r\\n'"),
    o.text("status").expect("o: 'f\\t1\\t0\\t0\\n'", "o: '.\\n'"),
    gearfast_only=True,
)
play(
    "admin-drop-function-forgets-limit",
    o.text("create function f", b"\r\n"),
    o.text("maxqueue f 1"),
    o.text("drop function f"),
    a(SUBMIT_JOB_BG, "f", "", payload="1"),
    a(SUBMIT_JOB_BG, "f", "", payload="2"),
)
play(
    "admin-maxqueue",
    o.text("maxqueue"),
    o.text("maxqueue "),
    o.text("maxqueue nobody"),
    o.text("maxqueue nobody 5"),
    o.text("MAXQUEUE nobody 1 2"),
    o.text("maxqueue nobody 1 2 3"),
    o.text("status"),
)
play("admin-maxqueue-four-numbers", o.text("maxqueue f 1 2 3 4"), a(ECHO_REQ))
play(
    "admin-half-closed",
    o.ends("status\nversion\n").expect("o: '.\\n'", "o: 'OK <version>\\n'", "o: closed"),
    gearfast_only=True,
)
play(
    "admin-half-closed-binary",
    a.ends(b"\0REQ\0\0\0\x10\0\0\0\2hi").expect("a: ECHO_RES hi", "a: closed"),
    gearfast_only=True,
)
play(
    "admin-names",
    (w(SET_CLIENT_ID, "w\x1b[2J") + w(CAN_DO, "evil\t0\t0\t0\n.\nrest")),
    a(SUBMIT_JOB_BG, "evil\t0\t0\t0\n.\nrest", "u\n", payload="1"),
    o.text("status").expect(r"o: 'evil\\x090\\x090\\x090\\x0a.\\x0arest\t1\t0\t1\n'", r"o: '.\n'"),
    o.text("prioritystatus").expect(r"o: 'evil\\x090\\x090\\x090\\x0a.\\x0arest\t0\t1\t0\t1\n'", r"o: '.\n'"),
    o.text("workers").expect(
        *[r"o: '<fd> 127.0.0.1 - :\n'"] * 3,
        r"o: '<fd> 127.0.0.1 w\\x1b[2J : evil\\x090\\x090\\x090\\x0a.\\x0arest\n'",
        r"o: '.\n'",
    ),
    o.text("show unique jobs").expect(r"o: 'u\\x0a\n'", r"o: '.\n'"),
    w(GRAB_JOB),
    w(WORK_COMPLETE, H1, payload=""),
)
play(
    "admin-unique-dot",
    a(SUBMIT_JOB_BG, "f", ".", payload="1"),
    o.text("show unique jobs").expect(r"o: '\\x2e\n'", r"o: '.\n'"),
    o.text("show jobs"),
)
