"""Attacks: what a peer, or a crowd of them, can do that others have to wait for. Each is played by its own process."""

from functools import partial

from benchmarks.attacks import crowds, jobs, large, names, secret
from benchmarks.attacks.attack import Attack, Begin
from benchmarks.attacks.line import ECHO_REQ, SUBMIT_JOB_BG, packet

__all__ = ["ATTACKS", "Attack", "Begin"]

ATTACKS: dict[str, Begin] = {
    "holds-and-can-do": jobs.holds_and_can_do,
    "holds-and-leaves": jobs.holds_and_leaves,
    "waits-and-leaves": jobs.waits_and_leaves,
    "due-at-once": jobs.due_at_once,
    "attached": jobs.attached,
    "attached-each": jobs.attached_each,
    "attached-and-done": jobs.attached_and_done,
    "abilities-said": names.abilities_said,
    "abilities-and-leaves": names.abilities_and_leaves,
    "abilities-and-reset": names.abilities_and_reset,
    "abilities-and-grab": names.abilities_and_grab,
    "alike-and-drop": names.alike_and_drop,
    "alike-and-stop": names.alike_and_stop,
    "workers": partial(names.workers_asked, 1),
    "workers-by-ten": partial(names.workers_asked, 10),
    "empty-lines": partial(crowds.pours, b"\n"),
    "empty-lines-and-cancel": crowds.empty_lines_and_cancel,
    "packets": partial(crowds.pours, packet(ECHO_REQ)),
    "bad-packets": partial(crowds.pours, packet(SUBMIT_JOB_BG)),
    "show-jobs": crowds.show_jobs,
    "calls": crowds.calls,
    "leave": crowds.leave,
    "payload": large.payload,
    "result": large.result,
    "tls-show-jobs": secret.show_jobs_and_leave,
    "tls-handshakes": secret.handshakes,
}
"""By the name that the command line has for each."""
