"""Arrows run one way only: which room may use which, and every import line held against it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent / "gearfast"

# Ground everybody stands on: bytes and links in memory, the collector, the time, the exceptions, the numbers, the log
GROUND = {"slice", "ring", "collector", "clock", "errors", "fields", "config", "logs", "password"}
# What the ground itself stands on
BELOW: dict[str, set[str]] = {"fields": {"errors"}, "config": {"errors", "fields"}, "password": {"errors"}}

# What a room may use besides the ground. A room stands below everything that uses it; a line may only name rooms
# from lines above its own (`test_the_table_has_no_way_up`). Only types come from far below: a call goes to the room
# directly beneath.
MAY_USE: dict[str, set[str]] = {
    # the structures
    "index": set(),
    "heap": set(),
    "pool": set(),
    "rotation": set(),
    "handle": set(),
    # what a store promises
    "contract": set(),
    "checked": {"contract"},
    # room 1
    "hold": set(),
    "packet": {"pool", "hold"},
    # room 2
    "allocator": {"pool"},
    "job": {"index", "pool", "rotation"},
    "numbers": {"index", "job"},
    "late": set(),
    "roster": {"index", "rotation", "job"},
    "party": {"index", "pool", "job", "late", "roster"},
    "unique": {"index", "job", "roster"},
    "keeping": {"job"},
    "census": {"handle", "index", "rotation", "job", "keeping", "numbers", "roster"},
    "peer": {"index", "job", "roster", "party", "census"},
    "line": set(),
    "journal": {"job", "roster", "line", "keeping"},
    "endings": {"job"},
    "record": {"job"},
    "fence": set(),
    # room 3
    "life": {
        "allocator",
        "handle",
        "heap",
        "index",
        "pool",
        "job",
        "keeping",
        "numbers",
        "late",
        "roster",
        "party",
        "unique",
        "peer",
        "journal",
        "endings",
    },
    "broker": {
        "heap",
        "index",
        "rotation",
        "job",
        "keeping",
        "numbers",
        "late",
        "roster",
        "party",
        "unique",
        "census",
        "peer",
        "endings",
        "life",
    },
    # what the store, and the log, get to know of it
    "ledger": {
        *("index", "job", "keeping", "numbers", "roster", "line", "journal", "record"),
        *("life", "broker"),
    },
    "notes": {"endings", "broker"},
    # room 4: the same talk in this process, and over a wire
    "inprocess": {"job", "roster", "peer", "life", "broker"},
    "outlet": set(),
    "session": {"handle", "packet", "fence", "peer", "broker", "notes", "outlet"},
    "fenced": {"packet", "job", "fence", "broker", "session"},
    "request": {"handle", "packet", "job", "roster", "peer", "life", "broker", "notes", "session", "fenced"},
    # bytes in and out
    "visitor": {"packet", "peer", "session"},
    "memory": {"allocator", "pool", "hold", "session"},
    "turn": {"broker", "outlet", "session", "fenced", "memory"},
    "transport": {"packet", "fence", "outlet", "session", "turn"},
    "secure": {"packet", "session", "turn", "transport"},
    "door": {"packet", "transport", "visitor"},
    "refusals": set(),
    "listener": set(),
    "certificate": set(),
    "tls": {"certificate"},
    "lone": set(),
    "batches": {"journal", "ledger", "lone"},
    "writer": {"ledger", "lone", "batches"},
    "keeper": {"broker", "ledger", "batches", "writer"},
    "plugin": {"checked"},
    "drain": {"broker"},
    "server": {
        *("broker", "ledger", "request", "session", "turn", "transport", "secure", "listener", "tls", "keeper"),
        *("door", "refusals", "visitor", "drain", "fenced", "checked", "plugin"),
    },
    "plugins.__init__": set(),
    "plugins.admin": {"broker"},
    # the stores
    "plugins.stock": set(),
    "plugins.sqlite.place": set(),
    "plugins.sqlite.reader": set(),
    "plugins.sqlite.file": {"plugins.sqlite.place", "plugins.sqlite.reader"},
    "plugins.sqlite.store": {"plugins.stock", "plugins.sqlite.file"},
    "plugins.sqlite.__init__": {"plugins.sqlite.store"},
    "plugins.postgresql.demands": set(),
    "plugins.postgresql.parameters": {"plugins.postgresql.demands"},
    "plugins.postgresql.service": set(),
    "plugins.postgresql.url": {f"plugins.postgresql.{part}" for part in ("demands", "parameters", "service")},
    "plugins.postgresql.link": {"plugins.postgresql.url"},
    "plugins.postgresql.jobs": {"plugins.postgresql.link"},
    "plugins.postgresql.stock": {"plugins.stock", "plugins.postgresql.link", "plugins.postgresql.jobs"},
    "plugins.postgresql.store": {f"plugins.postgresql.{part}" for part in ("link", "jobs", "stock")},
    "plugins.postgresql.__init__": {"plugins.postgresql.store"},
    "plugins.mysql.url": set(),
    "plugins.mysql.link": {"plugins.mysql.url"},
    "plugins.mysql.jobs": {"plugins.mysql.link"},
    "plugins.mysql.stock": {"plugins.stock", "plugins.mysql.link", "plugins.mysql.jobs"},
    "plugins.mysql.store": {f"plugins.mysql.{part}" for part in ("url", "link", "jobs", "stock")},
    "plugins.mysql.__init__": {"plugins.mysql.store"},
    "plugins.redis.link": set(),
    "plugins.redis.jobs": {"plugins.stock"},
    "plugins.redis.stock": {"plugins.stock", "plugins.redis.link"},
    "plugins.redis.store": {"plugins.stock", *(f"plugins.redis.{part}" for part in ("link", "jobs", "stock"))},
    "plugins.redis.__init__": {"plugins.redis.store"},
    "plugins.stores": {
        *(f"plugins.{store}.__init__" for store in ("sqlite", "postgresql", "mysql", "redis")),
        "checked",
    },
    "testing": set(),
    # the log
    "descriptor": set(),
    "lines": set(),
    "repeats": set(),
    "strays": set(),
    "sink": {"lines"},
    "scribe": {"lines", "sink"},
    "terminal": {"lines", "sink", "scribe"},
    "logbook": {"descriptor", "lines", "repeats", "strays", "sink", "scribe"},
    # the process
    "systemd": {"listener"},
    "machine": set(),
    "options": {"machine"},
    "arguments": {"options"},
    "config_file": {"options", "arguments"},
    "mysql_files": set(),
    "queues": {"options", "arguments", "mysql_files"},
    "command": {"options", "arguments", "config_file", "queues"},
    "daemon": {"options"},
    "jobfile": set(),
    "progress": set(),
    "jobimport": {"jobfile", "progress"},
    "store_command": {
        *("options", "arguments", "config_file", "queues", "command", "daemon"),
        *("jobfile", "jobimport", "progress"),
    },
    "cli": {
        *("tls", "server", "plugins.admin", "plugins.stores"),
        *("options", "queues", "command", "daemon", "store_command"),
        *("descriptor", "logbook", "systemd", "terminal"),
    },
    "__main__": {"cli"},
    # the public names
    "__init__": {"broker", "inprocess", "packet", "server"},
}

# Who is only named in annotations: a plugin is handed the server, which is below it.
FOR_TYPING_ONLY: dict[str, set[str]] = {
    "plugin": {"server"},
    "plugins.admin": {"server", "session"},
}
KEEPS_TO_THE_CONTRACT = {
    *("record", "ledger", "batches", "writer", "keeper", "server", "testing"),
    *("queues", "command", "cli", "store_command", "jobfile", "jobimport"),
    *(room for room in MAY_USE if room.startswith("plugins.") and not room.endswith(".__init__")),
}
CONTRACT: dict[str, set[str]] = {room: {"contract"} for room in KEEPS_TO_THE_CONTRACT}

COMPILED = re.compile(r"^\s*from\s+gearfast(?:\.([\w.]+))?\s+c?import\s+(\([^)]*\)|[^\n]*)", re.MULTILINE)
BARE = re.compile(r"^\s*c?import\s+gearfast\b", re.MULTILINE)


def rooms() -> list[Path]:
    """Every source file; a room is called what its file is called, with the folder if that is not the house itself."""
    return [path for path in sorted(HOUSE.rglob("*")) if path.suffix in (".py", ".pyx", ".pxd")]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(HOUSE).with_suffix("").parts)


def is_folder(module: str) -> bool:
    return (HOUSE / module.replace(".", "/")).is_dir()


def room_of(module: str) -> str:
    """The room that a module name leads to: a folder stands for its `__init__`."""
    return f"{module}.__init__" if is_folder(module) else module


def targets(module: str | None, imported: list[str]) -> set[str]:
    """What `from gearfast.module import imported` uses."""
    inside = "" if not module else f"{module}."
    if not module or is_folder(module):
        submodules = {name for name in imported if list((HOUSE / inside.replace(".", "/")).glob(f"{name}.*"))}
        whole = {room_of(module or "__init__")} if set(imported) - submodules else set()
        return {inside + name for name in submodules} | whole
    return {module}


def of_python(text: str) -> tuple[set[str], set[str]]:
    """What a Python file uses when it runs, and what only for typing."""
    running, typing = set[str](), set[str]()

    def walk(node: ast.AST, into: set[str]) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
                walk(child, typing)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, "a relative import hides where an arrow leads"
                if (child.module or "").split(".")[0] == "gearfast":
                    inside = (child.module or "").partition(".")[2]
                    into |= targets(inside or None, [alias.name for alias in child.names])
            elif isinstance(child, ast.Import):
                into |= {room_of(a.name.partition(".")[2]) for a in child.names if a.name.split(".")[0] == "gearfast"}
            else:
                walk(child, into)

    walk(ast.parse(text), running)
    return running, typing


def of_cython(text: str) -> set[str]:
    """What a Cython file imports or cimports."""
    assert not BARE.search(text), "write `from gearfast.room cimport name`, so that this test can read it"
    found = set[str]()
    for module, imported in COMPILED.findall(text):
        names = [part.split()[0] for part in re.sub(r"#.*", "", imported).strip("()").split(",") if part.strip()]
        found |= targets(module or None, names)
    return found


@pytest.mark.parametrize("path", rooms(), ids=lambda path: str(path.relative_to(HOUSE)))
def test_no_room_uses_what_it_may_not(path: Path) -> None:
    room = name_of(path)
    text = path.read_text(encoding="utf-8")
    running, typing = of_python(text) if path.suffix == ".py" else (of_cython(text), set())
    allowed = MAY_USE.get(room, set()) | CONTRACT.get(room, set()) | GROUND | {room}
    if room in GROUND:
        allowed = {room} | BELOW.get(room, set())
    assert running <= allowed, f"{room} may not use {sorted(running - allowed)}"
    assert typing <= allowed | FOR_TYPING_ONLY.get(room, set()), f"{room} may not name {sorted(typing - allowed)}"


def test_every_room_stands_in_the_table() -> None:
    there = {name_of(path) for path in rooms()}
    assert there == set(MAY_USE) | GROUND | set(FOR_TYPING_ONLY)


def test_the_table_has_no_way_up() -> None:
    above = set[str]()
    for room, used in MAY_USE.items():
        assert used <= above, f"{room} stands below {sorted(used - above)}"
        above.add(room)


def test_the_reader_of_imports_sees_every_form() -> None:
    """A test that overlooks a line would let anything pass."""
    assert of_cython("from gearfast.index cimport (\n    a, b,\n)\nfrom gearfast import config\n") == {
        "index",
        "config",
    }
    assert of_cython("    from gearfast.peer import Report as Name\n") == {"peer"}
    assert of_python("from gearfast import cli, config as c\nimport gearfast.server\n")[0] == {
        "cli",
        "config",
        "server",
    }
    assert of_python("def f():\n    from gearfast.plugins.admin import Admin\n")[0] == {"plugins.admin"}
    assert of_python("from gearfast.plugins import Plugin, admin\n")[0] == {"plugins.__init__", "plugins.admin"}
    assert of_python("from gearfast import Broker\n")[0] == {"__init__"}
    lazy = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from gearfast.server import Server\n"
    assert of_python(lazy) == (set(), {"server"})
