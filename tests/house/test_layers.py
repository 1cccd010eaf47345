"""Arrows run one way only: which room may use which, and every import line held against it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2] / "gearfast"

# The storeys, from the bottom: what a room of each may use of those below. Only types come from far below: a call goes
# to the storey directly beneath. At the root stand the exceptions, the numbers and the log, for everybody.
STOREYS: dict[str, set[str]] = {
    "ground": set(),
    "protocol": {"ground"},
    "broker": {"ground", "protocol"},
    "store": {"ground", "broker"},
    "server": {"ground", "protocol", "broker", "store"},
    "plugins": {"ground", "protocol", "broker", "store", "server"},
    "cli": {"ground", "store", "server", "plugins"},
}
# What a room may use of its own storey: only what stands above it here.
ROOMS: dict[str, dict[str, set[str]]] = {
    "ground": {
        "slice": set(),
        "glob": {"slice"},
        "gathered": set(),
        "ring": set(),
        "clock": set(),
        "collector": set(),
        "lock": {"clock", "collector"},
        "index": set(),
        "heap": set(),
        "pool": set(),
        "allocator": {"pool"},
        "hold": {"ring"},
        "fields": set(),
    },
    "protocol": {
        "handle": set(),
        "packet": set(),
        "values": set(),
        "parameters": {"values"},
        "cron": set(),
    },
    "broker": {
        "rotation": set(),
        "lost": set(),
        "line": set(),
        "policy": set(),
        "job": {"rotation", "policy"},
        "keeping": {"job"},
        "events": {"job", "keeping"},
        "jobtable": {"job"},
        "past": {"job"},
        "rulebook": set(),
        "functions": {"rotation", "job", "rulebook"},
        "rules": {"job", "policy", "functions", "rulebook"},
        "schedules": {"job", "functions", "rules"},
        "party": {"job", "lost", "functions"},
        "unique": {"job", "functions"},
        "listing": {"rotation", "rulebook", "job", "past", "keeping", "jobtable", "functions", "party", "schedules"},
        "peer": {"job", "functions", "party", "listing"},
        "outbox": {"line", "job", "keeping", "functions"},
        "gate": {"rotation", "functions", "rulebook"},
        "estate": {
            *("policy", "job", "keeping", "events", "jobtable", "functions", "past", "rules", "schedules", "party"),
            *("unique", "peer", "outbox"),
        },
        "aside": {
            *("job", "keeping", "events", "functions", "past", "rules", "schedules", "party", "unique", "estate"),
        },
        "life": {
            *("lost", "job", "keeping", "events", "functions", "past", "rules", "party", "unique", "peer", "estate"),
            "aside",
        },
        "leaving": {"job", "keeping", "functions", "past", "party", "peer", "estate", "life"},
        "submits": {
            *("job", "keeping", "events", "functions", "rulebook", "rules", "schedules", "unique", "peer", "estate"),
            "leaving",
        },
        "figures": {"job", "functions", "party", "listing", "peer", "submits"},
        "broker": {
            *("rotation", "lost", "job", "keeping", "events", "jobtable", "functions", "past", "rules", "schedules"),
            *("party", "unique", "peer", "estate", "life", "submits", "figures"),
        },
        "deadletters": {"job", "jobtable", "functions", "past", "broker"},
        "rulings": {"functions", "gate", "rulebook", "broker"},
        "timetable": {"job", "jobtable", "functions", "rules", "schedules", "broker"},
        "inprocess": {"job", "functions", "peer", "estate", "submits", "broker"},
    },
    "store": {
        "password": set(),
        "contract": set(),
        "checked": {"contract"},
        "record": {"contract"},
        "stock": {"contract", "record"},
        "testing": {"contract"},
        "replay": {"record"},
        "backlog": set(),
        "batches": {"record", "replay", "backlog"},
        "lone": set(),
        "plan": {"contract", "batches", "lone"},
        "attempts": {"contract", "batches", "lone", "plan"},
        "writer": {"contract", "batches", "plan", "attempts"},
    },
    "server": {
        "plugin": set(),
        "notes": {"plugin"},
        "outlet": set(),
        "round": set(),
        "station": {"outlet", "round"},
        "bell": set(),
        "fence": set(),
        "session": {"notes", "outlet", "round", "fence"},
        "fenced": {"fence", "session"},
        "submit": {"session", "fenced", "round"},
        "request": {"session", "submit"},
        "visitor": {"session"},
        "memory": {"session"},
        "lookout": {"session"},
        "turn": {"outlet", "round", "bell", "session", "fenced", "memory", "lookout"},
        "transport": {"outlet", "round", "fence", "session", "turn"},
        "plain": {"round", "station", "session", "turn", "transport"},
        "secure": {"round", "session", "turn", "plain"},
        "iothread": {"outlet", "round", "station", "bell", "session", "turn", "plain"},
        "threads": {"turn", "plain", "iothread"},
        "refusals": set(),
        "listener": set(),
        "certificate": set(),
        "tls": {"certificate"},
        "drain": set(),
        "policyfile": set(),
        "policies": {"policyfile"},
        "calendar": set(),
        "commands": set(),
        "door": {"visitor", "transport"},
        "server": {
            *("session", "fenced", "request", "visitor", "turn", "transport", "plain", "secure"),
            "threads",
            *("refusals", "listener", "tls", "drain", "commands", "plugin", "door", "policies", "calendar"),
        },
    },
    "plugins": {
        "answers": set(),
        "jobs": {"answers"},
        "deadletters": {"answers", "jobs"},
        "policies": {"answers"},
        "schedules": {"answers"},
        "admin": {"answers", "jobs", "deadletters", "policies", "schedules"},
        "sqlite.place": set(),
        "sqlite.reader": set(),
        "sqlite.file": {"sqlite.place", "sqlite.reader"},
        "sqlite.store": {"sqlite.file"},
        "sqlite": {"sqlite.store"},
        "postgresql.demands": set(),
        "postgresql.parameters": {"postgresql.demands"},
        "postgresql.service": set(),
        "postgresql.url": {"postgresql.demands", "postgresql.parameters", "postgresql.service"},
        "postgresql.link": {"postgresql.url"},
        "postgresql.jobs": {"postgresql.link"},
        "postgresql.stock": {"postgresql.link", "postgresql.jobs"},
        "postgresql.store": {"postgresql.link", "postgresql.jobs", "postgresql.stock"},
        "postgresql": {"postgresql.store"},
        "mysql.url": set(),
        "mysql.link": {"mysql.url"},
        "mysql.jobs": {"mysql.link"},
        "mysql.stock": {"mysql.link", "mysql.jobs"},
        "mysql.store": {"mysql.url", "mysql.link", "mysql.jobs", "mysql.stock"},
        "mysql": {"mysql.store"},
        "redis.link": set(),
        "redis.jobs": set(),
        "redis.stock": {"redis.link"},
        "redis.store": {"redis.link", "redis.jobs", "redis.stock"},
        "redis": {"redis.store"},
        "stores": {"sqlite", "postgresql", "mysql", "redis"},
    },
    "cli": {
        "log": set(),
        "log.descriptor": set(),
        "log.lines": set(),
        "log.repeats": set(),
        "log.strays": set(),
        "log.sink": {"log.lines"},
        "log.scribe": {"log.lines", "log.sink"},
        "log.terminal": {"log.lines", "log.sink", "log.scribe"},
        "log.logbook": {"log.descriptor", "log.lines", "log.repeats", "log.strays", "log.sink", "log.scribe"},
        "systemd": set(),
        "machine": set(),
        "readers": {"machine"},
        "options": {"readers"},
        "arguments": {"options"},
        "config_file": {"options", "arguments"},
        "mysql_files": set(),
        "pages": {"readers", "options"},
        "queues": {"readers", "options", "arguments", "mysql_files"},
        "command": {"readers", "options", "arguments", "config_file", "queues"},
        "daemon": {"options"},
        "jobfile": set(),
        "progress": set(),
        "jobimport": {"jobfile", "progress"},
        "store_command": {
            *("options", "arguments", "config_file", "queues", "command", "daemon"),
            *("jobfile", "progress", "jobimport"),
        },
        "program": {
            *("log.descriptor", "log.logbook", "log.terminal"),
            *("systemd", "options", "queues", "command", "daemon", "store_command"),
        },
    },
}
# At the root: what each uses.
ROOT: dict[str, set[str]] = {
    "errors": set(),
    "logs": set(),
    "config": {"errors", "ground.fields"},
    "__init__": {
        *("config", "errors", "protocol.packet", "broker.broker", "broker.events", "broker.inprocess", "broker.job"),
        *("broker.peer", "store.contract", "server.plugin", "server.server", "plugins.admin", "plugins.stores"),
    },
    "__main__": {"cli.program"},
}
FOR_EVERYBODY = {"errors", "config", "logs"}
# Who is only named in annotations: a plugin is handed the server.
FOR_TYPING_ONLY: dict[str, set[str]] = {
    "server.plugin": {"server.server"},
    "server.commands": {"server.session"},
    "plugins.admin": {"server.server", "server.session"},
}

COMPILED = re.compile(r"^\s*from\s+gearfast(?:\.([\w.]+))?\s+c?import\s+(\([^)]*\)|[^\n]*)", re.MULTILINE)
BARE = re.compile(r"^\s*c?import\s+gearfast\b", re.MULTILINE)


def rooms() -> list[Path]:
    """Every source file; a room is called what its file is called, with the folder if that is not the house itself."""
    return [path for path in sorted(HOUSE.rglob("*")) if path.suffix in (".py", ".pyx", ".pxd")]


def name_of(path: Path) -> str:
    return room_of(".".join(path.relative_to(HOUSE).with_suffix("").parts))


def is_folder(module: str) -> bool:
    return (HOUSE / module.replace(".", "/")).is_dir()


def is_there(module: str) -> bool:
    path = HOUSE / module.replace(".", "/")
    return path.is_dir() or any(path.parent.glob(f"{path.name}.p*"))


def room_of(module: str) -> str:
    """The room that a module name leads to: a folder's `__init__` is called as the folder."""
    return module.removesuffix(".__init__")


def targets(module: str | None, imported: list[str]) -> set[str]:
    """What `from gearfast.module import imported` uses."""
    inside = "" if not module else f"{module}."
    if not module or is_folder(module):
        submodules = {name for name in imported if is_there(inside + name)}
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


def allowed(room: str) -> set[str]:
    """What a room may use."""
    if room in ROOT:
        return ROOT[room]
    storey, _, inside = room.partition(".")
    own = {f"{storey}.{other}" for other in ROOMS[storey].get(inside, ())}
    below = {f"{lower}.{other}" for lower in STOREYS[storey] for other in ROOMS[lower]}
    return own | below | FOR_EVERYBODY


@pytest.mark.parametrize("path", rooms(), ids=lambda path: str(path.relative_to(HOUSE)))
def test_no_room_uses_what_it_may_not(path: Path) -> None:
    room = name_of(path)
    text = path.read_text(encoding="utf-8")
    running, typing = of_python(text) if path.suffix == ".py" else (of_cython(text), set())
    may = allowed(room) | {room}
    assert running <= may, f"{room} may not use {sorted(running - may)}"
    assert typing <= may | FOR_TYPING_ONLY.get(room, set()), f"{room} may not name {sorted(typing - may)}"


def test_every_room_stands_in_a_table() -> None:
    there = {name_of(path) for path in rooms()}
    assert len(there) > 90
    assert there == {
        *ROOT,
        *STOREYS,
        *(f"{storey}.{room}" for storey, inside in ROOMS.items() for room in inside),
    }


def test_a_storeys_front_door_is_empty() -> None:
    """Its rooms are imported one by one: else to use one would be to use them all."""
    for storey in STOREYS:
        assert of_python((HOUSE / storey / "__init__.py").read_text(encoding="utf-8")) == (set(), set())


def test_no_table_has_a_way_up() -> None:
    assert list(ROOMS) == list(STOREYS)
    below = set[str]()
    for storey, used in STOREYS.items():
        assert used <= below, f"{storey} stands below {sorted(used - below)}"
        below.add(storey)
    for storey, inside in ROOMS.items():
        above = set[str]()
        for room, used in inside.items():
            assert used <= above, f"{storey}.{room} stands below {sorted(used - above)}"
            above.add(room)


def test_the_ground_of_the_ground() -> None:
    """Of what is for everybody, ground/ uses the exceptions only: the numbers are made from it."""
    for path in rooms():
        if name_of(path).startswith("ground."):
            text = path.read_text(encoding="utf-8")
            used = of_python(text)[0] if path.suffix == ".py" else of_cython(text)
            assert not used & (FOR_EVERYBODY - {"errors"}), path


def test_the_reader_of_imports_sees_every_form() -> None:
    """A test that overlooks a line would let anything pass."""
    assert of_cython("from gearfast.ground.index cimport (\n    a, b,\n)\nfrom gearfast import config\n") == {
        "ground.index",
        "config",
    }
    assert of_cython("    from gearfast.broker.peer import Report as Name\n") == {"broker.peer"}
    assert of_python("from gearfast.cli import program, options as c\nimport gearfast.server.server\n")[0] == {
        "cli.program",
        "cli.options",
        "server.server",
    }
    assert of_python("def f():\n    from gearfast.plugins.admin import Admin\n")[0] == {"plugins.admin"}
    assert of_python("from gearfast.plugins import sqlite, admin\n")[0] == {"plugins.sqlite", "plugins.admin"}
    assert of_python("from gearfast.plugins.sqlite import Sqlite\n")[0] == {"plugins.sqlite"}
    assert of_python("from gearfast import Broker\n")[0] == {"__init__"}
    lazy = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from gearfast.server.server import Server\n"
    assert of_python(lazy) == (set(), {"server.server"})
