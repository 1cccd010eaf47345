"""The same bytes to Debian's gearmand and to gearfast: the answers are equal, or a stated difference.

Stock runs with one thread: with more, a command that fails silently closes its connection at some later time or never.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.differential.differences import DIFFERENCES, DOCUMENT, render
from tests.differential.play import Exchange, play
from tests.differential.script import Script
from tests.differential.scripts import SCRIPTS
from tests.support.peers import Server, peer, start_gearfast, start_gearmand
from tests.support.wire import REQ

LISTED = {name for difference in DIFFERENCES for name in difference.exchanges}
ALONE = {name for difference in DIFFERENCES for name in difference.alone}

# A slow machine must not look like a worker that does not grab: the next one is woken only where a script says so.
GRACE = "--worker-wakeup-grace"

COMMANDS = (
    "version",
    "getpid",
    "verbose",
    "status",
    "prioritystatus",
    "workers",
    "show jobs",
    "show unique jobs",
    "create function",
    "drop function",
    "maxqueue",
    "cancel job",
)


@pytest.fixture(scope="module")
def tally(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """What was compared; told at the end."""
    counts: Counter[str] = Counter()
    yield counts
    told = (
        f"differential: {counts['equal'] + counts['intended'] + counts['wrong']} exchanges, {counts['equal']} equal, "
        f"{counts['intended']} intended differences, {counts['wrong']} wrong, {counts['alone']} of gearfast alone"
    )
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    if reporter is not None and capture is not None:
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"\n{told}")


def _options(script: Script) -> list[str]:
    given = [*script.options, *script.gearfast_options]
    return given if any(option.startswith(GRACE) for option in given) else [f"{GRACE}=60000", *given]


def _play(script: Script, server: Server) -> dict[str, Exchange]:
    answers = play(script, server.host, server.port)
    assert server.alive(), f"{server.name} died: {server.log.read_text(errors='replace')[-2000:]}"
    return answers


def _show(title: str, answer: Exchange) -> str:
    return f"  {title}: " + (" | ".join(answer) or "(nothing)")


@pytest.mark.parametrize("script", [script for script in SCRIPTS if not script.gearfast_only], ids=lambda s: s.name)
def test_answers_as_stock(script: Script, tally: Counter[str]) -> None:
    """Every exchange is equal, or listed and exactly as stated."""
    peer("gearmand")
    with ExitStack() as stack:
        gearfast = stack.enter_context(start_gearfast(*_options(script), ready=False))
        gearmand = stack.enter_context(start_gearmand("--threads=1", *script.options))
        stock = _play(script, gearmand)
        gearfast.wait_ready()
        ours = _play(script, gearfast)
    wrong = []
    for name, step in script.exchanges():
        equal = stock[name] == ours[name]
        tally["equal" if equal else "intended" if name in LISTED else "wrong"] += 1
        if equal and name in LISTED:
            wrong.append(f"{name}: listed as a difference, but it is none")
        elif not equal and name not in LISTED:
            wrong.append(f"{name}: differs, and is not listed")
        elif step.expected is not None and ours[name] != step.expected:
            wrong.append(f"{name}: not as stated\n" + _show("stated", step.expected))
        else:
            continue
        wrong[-1] += "\n" + _show("gearmand", stock[name]) + "\n" + _show("gearfast", ours[name])
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.parametrize("script", [script for script in SCRIPTS if script.gearfast_only], ids=lambda s: s.name)
def test_answers_alone(script: Script, tally: Counter[str]) -> None:
    """What would crash stock, or race in it, is answered as stated."""
    with start_gearfast(*_options(script)) as gearfast:
        ours = _play(script, gearfast)
    for name, step in script.exchanges():
        tally["alone"] += 1
        if step.expected is not None:
            assert ours[name] == step.expected, name


def test_table_names_exist() -> None:
    """Every exchange in the table is in a script, and states gearfast's answer there; names are not given twice."""
    names = Counter(script.name for script in SCRIPTS)
    assert [name for name, count in names.items() if count > 1] == []
    stated = {name for script in SCRIPTS for name, step in script.exchanges() if step.expected is not None}
    assert LISTED - stated == set()
    assert {script.name for script in SCRIPTS if script.gearfast_only} == ALONE
    listed = Counter(name for difference in DIFFERENCES for name in (*difference.exchanges, *difference.alone))
    assert [name for name, count in listed.items() if count > 1] == []


def test_library_is_complete() -> None:
    """At least 250 exchanges, every packet type from 1 to 42, every admin command."""
    steps = [step for script in SCRIPTS for step in script.steps]
    pieces = [piece for step in steps for piece in step.pieces]
    assert sum(len(script.exchanges()) for script in SCRIPTS) >= 250
    assert set(range(1, 43)) <= {piece.type for piece in pieces if piece.magic == REQ}
    lines = b"\n".join(piece.body for piece in pieces if piece.type is None).decode("latin-1")
    for command in COMMANDS:
        assert re.search(rf"^{command}\b", lines, re.MULTILINE), command


def test_document_is_up_to_date() -> None:
    """docs/differences.md says what the table says."""
    hint = "run: python -m tests.differential.differences"
    assert DOCUMENT.exists(), hint
    assert DOCUMENT.read_text(encoding="utf-8") == render(), hint
