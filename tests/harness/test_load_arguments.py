"""What the load generator is asked for must make sense: it says what does not, before anything is connected."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.loading import load

if TYPE_CHECKING:
    from benchmarks.load import Load

pytestmark = pytest.mark.timeout(300)

NONSENSE: dict[str, tuple[Callable[[Load], object], str]] = {
    "no clients": (lambda load: load.clients(0), "count must be from 1"),
    "none in flight": (lambda load: load.clients(1, in_flight=0), "in_flight must be from 1"),
    "payload": (lambda load: load.clients(1, payload=-1), "payload must be from 0"),
    "short unique": (lambda load: load.clients(1, unique=5), "unique must be from 6 to 64, not 5"),
    "long unique": (lambda load: load.clients(1, unique=65), "unique must be from 6 to 64, not 65"),
    "functions": (lambda load: load.clients(1, functions=0), "functions must be from 1"),
    "delayed result": (lambda load: load.clients(1, foreground=True, delay=1), "give foreground or delay"),
    "no workers": (lambda load: load.workers(0), "count must be from 1"),
    "result": (lambda load: load.workers(1, result=-2), "result must be from -1"),
    "no callers": (lambda load: load.callers(-1), "count must be from 1"),
    "no idle": (lambda load: load.idle(0), "count must be from 1"),
    "no deaf": (lambda load: load.deaf(0), "count must be from 1"),
    "two lines": (lambda load: load.poll("status\nversion", hertz=1), "a command is one line"),
    "no command": (lambda load: load.poll("", hertz=1), "a command is one line"),
    "never": (lambda load: load.poll("status", hertz=0), "hertz must be from"),
    "nobody beside": (lambda load: load.beside(0, rate=1), "count must be from 1"),
    "beside, never": (lambda load: load.beside(1, rate=0), "rate must be from"),
    "beside, payload": (lambda load: load.beside(1, rate=1, payload=-1), "payload must be from 0"),
    "beside, unique": (lambda load: load.beside(1, rate=1, unique=5), "unique must be from 6 to 64, not 5"),
    "nobody": (lambda load: load.run(1), "nobody is there to play"),
    "nobody, open": (lambda load: load.run_at(1, 1), "an open loop needs clients or callers"),
    "rate": (lambda load: load.run_at(0, 1), "rate must be"),
    "seconds": (lambda load: load.run(1, seconds=-1), "seconds must be"),
    "kind": (
        lambda load: load.hang_up(["cleints"]),
        "'cleints' is no kind of peer; there are clients, callers",
    ),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_before_anything_is_connected(name: str) -> None:
    ask, message = NONSENSE[name]
    with pytest.raises(ValueError, match=message):
        ask(load(1))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"port": 0}, "port must be from 1 to 65535"),
        ({"port": 1, "patience": 0.0}, "patience must be"),
        ({"port": 1, "protocol": "http"}, "protocol must be one of gearman, beanstalk"),
        ({"port": 1, "stem": ""}, "stem must be 1 to 8 letters, not ''"),
        ({"port": 1, "stem": "work0"}, "stem must be 1 to 8 letters, not 'work0'"),
        ({"port": 1, "stem": "ninechars"}, "stem must be 1 to 8 letters"),
        ({"port": 1, "path": "/" + "x" * 107}, "the length of path must be from 0 to 107, not 108"),
    ],
)
def test_a_load_of_nothing_is_refused(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(**words)


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda load: load.clients(1, foreground=True), "foreground"),
        (lambda load: load.clients(1, unique=36, functions=2), "unique and functions"),
        (lambda load: load.workers(1, functions=2), "functions"),
        (lambda load: load.workers(1, result=5), "result"),
        (lambda load: load.poll("status", hertz=1), "poll"),
        (lambda load: load.beside(1, rate=1), "beside"),
    ],
)
def test_beanstalk_is_not_asked_for_what_it_has_not(ask: Callable[[Load], object], what: str) -> None:
    with pytest.raises(ValueError, match=f"beanstalk has no such thing as {what}"):
        ask(load(1, protocol="beanstalk"))
