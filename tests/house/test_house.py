"""The rules of the house that a program can check."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "gearfast"
MAX_LINES = 450

SOURCES = [path for path in sorted(HOUSE.rglob("*")) if path.suffix in (".py", ".pyx", ".pxd", ".pyi")]
COMPILED = [path for path in SOURCES if path.suffix == ".pyx"]
ENUM = re.compile(r"^cpdef enum (\w+):[^\n]*\n((?:    [^\n]*\n)+)", re.MULTILINE)


def run(*arguments: str) -> None:
    """A tool must have nothing to say."""
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_ruff_finds_nothing() -> None:
    run("ruff", "check", ".")


def test_every_file_is_formatted() -> None:
    run("ruff", "format", "--check", ".")


@pytest.mark.timeout(300)
def test_mypy_is_content() -> None:
    run("mypy")


@pytest.mark.timeout(300)
def test_the_stubs_say_what_is_there() -> None:
    run("mypy.stubtest", "gearfast", "--allowlist", "tests/stubtest-allowlist.txt")


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_file_outgrows_its_room(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES, "a room is missing: name it"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_file_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# " if path.suffix == ".pxd" else '"""'), "say it in the first line"


@pytest.mark.parametrize("path", COMPILED, ids=relative)
def test_every_compiled_module_has_a_stub(path: Path) -> None:
    assert path.with_suffix(".pyi").exists()


def test_the_rules_find_what_they_are_for() -> None:
    """A pattern that finds nothing holds everything to be right."""
    assert len(COMPILED) > 30
    assert len(SOURCES) > 3 * len(COMPILED)
    assert len(enums()) > 6


WITHOUT_PYTHON = [path for path in SOURCES if path.parent.name in ("ground", "protocol", "broker")]
TALK_ROOMS = ("bell", "fence", "fenced", "iothread", "request", "round", "session", "station", "submit")
TALK = [path for path in SOURCES if path.parent.name == "server" and path.stem in TALK_ROOMS]
FUNCTION = re.compile(
    r"^ *cp?def (?!class )(?:inline )?[\w ]+[ *]+(\w+)\(((?:[^()]|\([^()]*\))*)\)([^:#\n]*)", re.MULTILINE
)
DOORS = {
    *("belongs_here", "enter", "rest", "broker_rests", "rest_soon", "forget", "adopt_handles", "drop"),  # broker, life
    *("wait", "lock_enter", "lock_enter_walk", "lock_leave_walk"),  # the lock, and who takes it
    *("function_rows", "job_rows", "function_row", "job_row"),  # what an administrator sees
    *("delayed_rows", "delayed_row", "job_figures", "holder_of", "dead_row", "figure_rows", "figure_row"),
    *("schedule_row", "zone_of"),
    *("what_is_wrong", "shown"),  # the words of an ERROR
    *(
        "cursor_number",
        "cursor_of",
        "slice_of",
        "as_heard",
        "status_of",
        "packet_tuple",
        "error",
    ),  # for Python
    "release_collector",
}


DOORS_OF_TALK = {
    *("take", "go_on", "disconnect", "writer", "need"),  # for transports and turns
    *("fail", "fail_if_it_must"),  # why a session ends
    *("handle_line", "answer_line", "next_slice"),  # a line of text
    *("submit_with_cron", "submit_as_cron", "date", "as_text"),  # dates
    *("refuse_mistake", "answer_anew", "write_anew"),  # the words of an ERROR
    *("on", "submits", "reports"),  # the table
    "take_over",  # by an I/O thread, as the loop's decides
}


@pytest.mark.parametrize(
    ("rooms", "least", "doors"), [(WITHOUT_PYTHON, 400, DOORS), (TALK, 60, DOORS_OF_TALK)], ids=["storeys", "talk"]
)
def test_rooms_without_python_are_compiled_so(rooms: list[Path], least: int, doors: set[str]) -> None:
    """Every function but the doors: the compiler itself refuses Python in them."""
    found, there = 0, set[str]()
    for path in rooms:
        for name, _, end in FUNCTION.findall(path.read_text(encoding="utf-8")):
            found += 1
            if "nogil" not in end:
                there.add(name)
    assert found > least
    assert there == doors


def test_the_makefile_names_tests_that_are_there() -> None:
    """A pattern that fits no file would leave nothing out, and say nothing."""
    makefile = re.sub(r"\\\n", " ", (ROOT / "Makefile").read_text(encoding="utf-8"))
    names = [name for listed in re.findall(r"\$\(call named,([^()]+)\)", makefile) for name in listed.split()]
    assert len(names) > 10
    for name in names:
        assert list((ROOT / "tests").glob(f"*/test_{name}.py")), name
    folders = [name for listed in re.findall(r"\$\(call in,([^()]+)\)", makefile) for name in listed.split()]
    assert len(folders) > 3
    for folder in folders:
        assert list((ROOT / "tests").glob(f"{folder}/test_*.py")), folder


def enums() -> list[tuple[str, str, dict[str, int]]]:
    """Module, name and members of every enum that the `.pxd` files show to Python."""
    found = []
    for path in sorted(HOUSE.rglob("*.pxd")):
        for name, body in ENUM.findall(path.read_text(encoding="utf-8")):
            members = {member: int(value) for member, value in re.findall(r"^    (\w+) = (\d+)", body, re.MULTILINE)}
            found.append((".".join(path.relative_to(ROOT).with_suffix("").parts), name, members))
    return found


@pytest.mark.parametrize(("module", "name", "members"), enums(), ids=lambda value: str(value)[:20])
def test_an_enum_has_the_members_of_its_declaration(module: str, name: str, members: dict[str, int]) -> None:
    there = getattr(importlib.import_module(module), name)
    assert {member.name: member.value for member in there} == members
    stub = (ROOT / f"{module.replace('.', '/')}.pyi").read_text(encoding="utf-8")
    declared = re.search(rf"^class {name}\(IntEnum\):\n((?:    .*\n|\n)+)", stub, re.MULTILINE)
    assert declared is not None
    assert dict(re.findall(r"^    (\w+) = (\d+)", declared[1], re.MULTILINE)) == {
        member: str(value) for member, value in members.items()
    }


def test_there_is_one_clock() -> None:
    other = re.compile(r"\btime\.(?:monotonic|time|perf_counter)\b|\bloop\.time\b|\bCLOCK_MONOTONIC\b")
    asking = [relative(path) for path in SOURCES if other.search(path.read_text(encoding="utf-8"))]
    assert set(asking) == {"gearfast/ground/clock.pxd", "gearfast/ground/clock.pyi"}


def test_no_source_names_a_place_on_somebodys_disk() -> None:
    private = re.compile(r"/(?:home|root|Users)/\w")
    for path in SOURCES:
        assert not private.search(path.read_text(encoding="utf-8")), relative(path)
