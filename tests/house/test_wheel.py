"""What `python -m build` makes: complete for readers, type checkers and Cython, and a server that starts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support import wire
from tests.support.peers import HOST, PROJECT, free_port, start

BUILD_SECONDS = 300
IGNORED = shutil.ignore_patterns("build", ".*", "*.so", "*.egg-info", "__pycache__", "dist")
HOUSE = PROJECT / "gearfast"
ROOMS = sorted(str(path.relative_to(PROJECT).with_suffix("")) for path in HOUSE.rglob("*.pyx"))
NOUNS = sorted(str(path.relative_to(PROJECT)) for path in HOUSE.rglob("*.pxd"))
LIBRARY = Path(sysconfig.get_config_var("LIBDIR"), f"libpython{sysconfig.get_config_var('LDVERSION')}.so.1.0")
MODULES = sorted(str(path.relative_to(PROJECT)) for path in HOUSE.rglob("*.py"))

pytestmark = pytest.mark.timeout(BUILD_SECONDS + 60)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with an sdist of this tree, and the wheel that was made from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    tree = folder / "tree"
    shutil.copytree(PROJECT, tree, ignore=IGNORED)
    faster = folder / "build.cfg"
    faster.write_text("[build_ext]\nparallel = 2\n")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", f"--outdir={folder}", str(tree)],
        env={**os.environ, "DIST_EXTRA_CONFIG": str(faster)},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return folder


def only(folder: Path, pattern: str) -> Path:
    """The one file of that name."""
    (found,) = folder.glob(pattern)
    return found


def test_wheel_holds_what_type_checkers_and_other_cython_modules_read(dist: Path) -> None:
    with zipfile.ZipFile(only(dist, "*.whl")) as wheel:
        names = set(wheel.namelist())
    assert {f"{room}.{kind}" for room in ROOMS for kind in ("pyx", "pyi")} <= names
    assert {*NOUNS, *MODULES, "gearfast/py.typed"} <= names
    assert len({name for name in names if name.endswith(".so")}) == len(ROOMS)
    assert {name for name in names if name.endswith(".c")} == set()
    assert {name.split("/")[0] for name in names if not re.match(r"[^/]+\.(dist-info|data)/", name)} == {"gearfast"}
    programs = {"gearfast", "gearfast-python"} if sys.platform == "linux" else {"gearfast"}
    assert {name.split("/", 1)[1] for name in names if re.match(r"[^/]+\.data/", name)} == {
        *(f"scripts/{program}" for program in programs),
        "data/share/man/man1/gearfast.1",
        "data/share/bash-completion/completions/gearfast",
        "data/share/zsh/site-functions/_gearfast",
    }


def test_readme_of_the_wheel_leads_to_files_that_are_there(dist: Path) -> None:
    """A package index has neither our files nor our pictures."""
    with zipfile.ZipFile(only(dist, "*.whl")) as wheel:
        (metadata,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        text = wheel.read(metadata).decode()
    named = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'\bsrc(?:set)?="([^"]+)"', text)
    ours = [re.fullmatch(r"https://github\.com/gearfast/gearfast/(?:blob|raw)/main/(.+)", name) for name in named]
    assert len(ours) > 10
    for name, found in zip(named, ours, strict=True):
        assert found is not None, name
        assert (PROJECT / found[1].partition("#")[0]).exists(), name
    assert "Project-URL: Homepage, https://" in text


def test_sdist_holds_the_sources_the_tests_and_the_documents(dist: Path) -> None:
    with tarfile.open(only(dist, "*.tar.gz")) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {f"{room}.{kind}" for room in ROOMS for kind in ("pyx", "pyi")} <= names
    assert {*NOUNS, *MODULES, "gearfast/py.typed"} <= names
    top = {"setup.py", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile"}
    assert (
        top | {"tests/support/wire.py", "tests/peers.sh", "packaging/gearfast.service", "benchmarks/__main__.py"}
        <= names
    )
    assert {name for name in names if name.endswith((".so", ".pyc"))} == set()


def serves(command: list[str | Path], process: Path) -> None:
    """A server starts, outside the checkout, and the system sees that file running."""
    port = free_port()
    words = ["--config-file=/dev/null", "--log-file=none", f"--listen={HOST}", f"--port={port}", "--pid-file=pid"]
    with start("wheel", [*command, *words], port) as server, server.connect() as peer:
        assert Path(f"/proc/{server.pid}/cwd").resolve() != PROJECT.resolve()
        assert Path(os.readlink(f"/proc/{server.pid}/exe")) == process
        assert peer.call(wire.ECHO_REQ, payload=b"installed").body == b"installed"
        assert server.stop() == 0


@pytest.mark.parametrize("kind", ["--symlinks", "--copies"])
def test_server_starts_from_the_wheel_in_an_empty_environment(dist: Path, tmp_path: Path, kind: str) -> None:
    """Outside the checkout, with nothing installed but the wheel and what it asks for."""
    environment = tmp_path / "env"
    python = environment / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", kind, str(environment)], check=True, timeout=60)
    install = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "-q", "install"]
    done = subprocess.run(
        [*install, str(only(dist, "*.whl"))], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    where = subprocess.run(
        [python, "-I", "-c", "import gearfast.protocol.packet; print(gearfast.protocol.packet.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert where.stdout.startswith(str(environment))
    program = environment / "bin" / "gearfast"
    serves(["env", "PYTHONPATH=", program], program if LIBRARY.exists() else python.resolve())
