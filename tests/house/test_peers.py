"""`tests/peers.sh` itself: whatever the machine has, and however many ask at a time, the programs are there.

Real apt and dpkg, with a repository of tiny packages: a gearmand that is a script, and what it needs.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peers import PROJECT, until

# `sed` is on every machine with apt, so an apt that is asked about the machine does not fetch it as a need of another.
NEEDED = "sed"
PACKAGES = {
    "gearman-job-server": ("usr/sbin/gearmand", f'exec "${{0%/sbin/*}}/bin/{NEEDED}" "$@"', NEEDED),
    NEEDED: (f"usr/bin/{NEEDED}", 'echo "the private $*"', ""),
}
HOUR = 3600

apt = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="this machine has no apt")


class Tree:
    """A checkout with nothing but the script, its path, and its apt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = folder / "build" / "peers"
        self.tools = folder / "tools"
        self.calls = folder / "calls"
        (folder / "tests").mkdir()
        for script in ("peers.sh", "packages.sh"):
            shutil.copy(PROJECT / "tests" / script, folder / "tests")
        self.tools.mkdir()
        self.calls.touch()
        self.path = f"{self.tools}:/usr/bin:/bin"
        self.started: list[subprocess.Popen[str]] = []

    def give(self, name: str, text: str) -> None:
        """Install a program."""
        (self.tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.tools / name).chmod(0o755)

    def give_apt(self, before: str = "") -> None:
        """Install apt-get with our repository as its only source; `before` is what it does first."""
        source = self.folder / "sources.list"
        source.write_text(f"deb [trusted=yes] copy:{self.folder / 'repository'} ./\n")
        words = f"-o Dir::Etc::SourceList={source} -o Dir::Etc::SourceParts=/dev/null"
        self.give("apt-get", f'echo "$*" >>{self.calls}\n{before}\nexec /usr/bin/apt-get {words} "$@"')

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the script, in a group of its own."""
        command = ["sh", str(self.folder / "tests" / "peers.sh"), *words]
        told = {**os.environ, "PATH": self.path}
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=told, process_group=0)
        self.started.append(process)
        return process

    def kill(self) -> None:
        """End all that was started, and what that has started."""
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=60)
        self.started.clear()

    def run(self, *words: str) -> str:
        """Run the script to its end and return what it said."""
        process = self.start(*words)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 0, said
        return said

    def missing(self, peer: str) -> str:
        """Why there is no such peer."""
        return (self.base / "missing" / peer).read_text()

    def says(self, peer: str) -> str:
        """What a peer prints."""
        return subprocess.run([self.base / "bin" / peer, "x"], capture_output=True, text=True, check=True).stdout

    def fetches(self) -> int:
        """How often gearmand's package was asked for."""
        return self.calls.read_text().count("gearman-job-server")


@pytest.fixture(name="tree")
def make_tree(tmp_path: Path) -> Iterator[Tree]:
    tree = Tree(tmp_path)
    yield tree
    tree.kill()


@pytest.fixture(scope="module", name="repository")
def make_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages, and the list of them."""
    folder = tmp_path_factory.mktemp("repository")
    machine = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout
    stanzas = []
    for name, (path, script, needs) in PACKAGES.items():
        content = folder / "content" / name
        program = content / path
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        control = f"Package: {name}\nVersion: 1\nArchitecture: {machine.strip()}\nMaintainer: nobody\n"
        control += (f"Depends: {needs}\n" if needs else "") + "Description: tiny\n"
        (content / "DEBIAN").mkdir()
        (content / "DEBIAN" / "control").write_text(control)
        file = folder / f"{name}.deb"
        subprocess.run(["dpkg-deb", "--build", content, file], check=True, capture_output=True)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        stanzas.append(f"{control}Filename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {digest}\n")
    (folder / "Packages").write_text("\n".join(stanzas))
    return folder


@pytest.fixture(name="stocked")
def make_stocked(tree: Tree, repository: Path) -> Tree:
    """A tree whose apt has the repository."""
    (tree.folder / "repository").symlink_to(repository)
    tree.give_apt()
    return tree


@apt
def test_what_the_machine_has_is_fetched_all_the_same(stocked: Tree) -> None:
    stocked.run()
    assert stocked.says("gearmand") == "the private x\n"
    assert "apt could not fetch beanstalkd" in stocked.missing("beanstalkd")


@apt
def test_a_tree_may_be_moved(stocked: Tree, tmp_path_factory: pytest.TempPathFactory) -> None:
    stocked.run()
    stocked.base = stocked.base.rename(tmp_path_factory.mktemp("elsewhere") / "peers")
    assert stocked.says("gearmand") == "the private x\n"


@apt
def test_of_two_at_a_time_one_waits_and_finds_all_there(stocked: Tree) -> None:
    go = stocked.folder / "go"
    stocked.give_apt(before=f"until [ -e {go} ]; do sleep 0.01; done")
    first = stocked.start()
    until(lambda: "update" in stocked.calls.read_text(), "the first one asks apt")
    second = stocked.start("--once")
    assert second.stderr is not None
    assert "waiting for it" in second.stderr.readline()
    go.touch()
    assert "waiting" not in first.communicate(timeout=60)[1]
    assert second.communicate(timeout=60)[1] == ""
    assert (first.returncode, second.returncode, stocked.fetches()) == (0, 0, 1)
    assert stocked.says("gearmand") == "the private x\n"


@apt
@pytest.mark.parametrize("at", ["update", "gearman-job-server", "beanstalkd"])
def test_one_that_was_killed_holds_nobody_up(stocked: Tree, at: str) -> None:
    """While it asks for lists, while it fetches, and after it has unpacked something."""
    stocked.give_apt(before=f'case "$*" in *{at}*) sleep 600 ;; esac')
    stocked.start()
    until(lambda: at in stocked.calls.read_text(), "apt is asked")
    stocked.kill()
    stocked.give_apt()
    stocked.run("--once")
    assert stocked.says("gearmand") == "the private x\n"


@apt
def test_what_is_there_is_never_taken_away(stocked: Tree) -> None:
    """As a newer script finds what an older one has left: a program that tests may be starting."""
    old = stocked.base / "bin" / "gearmand"
    old.parent.mkdir(parents=True)
    (stocked.base / "root" / "usr").mkdir(parents=True)
    old.write_text(f"#!/bin/sh\ntest -d {stocked.base / 'root' / 'usr'} && echo the old one\n")
    old.chmod(0o755)
    stocked.give_apt(before=f"{old} >>{stocked.calls} || echo taken away >>{stocked.calls}")
    stocked.run()
    seen = stocked.calls.read_text()
    assert "taken away" not in seen
    assert seen.count("the old one") > 1  # it asked more than once before it had the new one
    assert stocked.says("gearmand") == "the private x\n"
    stocked.give_apt(before=f"{old} >>{stocked.calls} || echo taken away >>{stocked.calls}")
    stocked.run("--again")
    assert "taken away" not in stocked.calls.read_text()


@apt
def test_what_is_missing_is_tried_again_after_an_hour_or_when_told(stocked: Tree) -> None:
    stocked.run()
    asked = stocked.calls.read_text()
    assert "Missing: beanstalkd" in stocked.run()
    assert stocked.run("--once") == ""
    assert stocked.calls.read_text() == asked
    result = stocked.base / "result"
    long_ago = result.stat().st_mtime - HOUR - 60
    os.utime(result, (long_ago, long_ago))
    assert stocked.run("--once") == ""
    assert stocked.calls.read_text() == asked
    stocked.run()
    assert stocked.calls.read_text().count("beanstalkd") == 2 * asked.count("beanstalkd")
    stocked.run("--again")
    assert stocked.calls.read_text().count("beanstalkd") == 3 * asked.count("beanstalkd")
    assert stocked.fetches() == 1  # and only what is missing


@apt
def test_peers_that_are_added_come_to_those_that_are_there(stocked: Tree) -> None:
    stocked.run()
    result = stocked.base / "result"
    before = result.read_text().partition(".")[0]
    for folder in ("bin", "missing"):
        (stocked.base / folder / "pidof").unlink(missing_ok=True)
    result.write_text(f"{before}.0 complete\n")
    stocked.run("--once")
    assert any((stocked.base / folder / "pidof").exists() for folder in ("bin", "missing"))
    assert stocked.fetches() == 1
    assert result.read_text().startswith(f"{before}.")
    assert not result.read_text().startswith(f"{before}.0 ")


@apt
def test_an_installed_one_serves_when_apt_reaches_nothing(tree: Tree) -> None:
    tree.give_apt()  # whose repository is not there
    tree.give("beanstalkd", 'echo "the installed one"')
    tree.give("gearmand", "echo what I am; echo cannot find a library; echo bye; exit 127")
    said = tree.run()
    assert tree.says("beanstalkd") == "the installed one\n"
    assert re.match(r"peers.sh: apt could not fetch its lists \([EW]: Failed to fetch copy:", said)
    assert "Missing: " in said
    assert tree.missing("gearman").startswith("apt could not fetch its lists (")
    assert tree.missing("gearman").endswith("; it is not installed either\n")
    assert tree.missing("gearmand").endswith("; the installed one does not run: cannot find a library\n")
    assert tree.calls.read_text().count("--download-only") == 0  # without lists there is nothing to ask for


def test_an_installed_one_serves_when_there_is_no_apt(tree: Tree) -> None:
    for folder in ("/bin", "/usr/bin"):
        for program in Path(folder).iterdir():
            if not program.name.startswith(("apt", "dpkg")) and not (tree.tools / program.name).exists():
                (tree.tools / program.name).symlink_to(program)
    tree.path = str(tree.tools)
    tree.give("beanstalkd", 'echo "the installed one"')
    tree.run()
    assert tree.says("beanstalkd") == "the installed one\n"
    (tree.tools / "beanstalkd").unlink()
    tree.path = f"{tree.base / 'bin'}:{tree.tools}"  # its own programs are not taken for installed ones
    tree.run("--again")
    assert "there is no apt here" in tree.missing("gearman")
