"""A power cut: what a killed server had not forced to disk is lost, or what of it the disk happened to write first."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from pathlib import Path

from gearfast.store.contract import StoredJob
from tests.crash.place import Metadata, SqlitePlace

PAGE = 4096
"""Bytes that a disk writes together."""
SURVIVES = {"full": "everything", "normal": "oldest", "off": "nothing"}
"""What each durability promises."""


def build(folder: Path) -> Path:
    """Compile what is loaded into the server."""
    library = folder / "powercut.so"
    source = Path(__file__).with_name("powercut.c")
    command = ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return library


class PowerCutPlace(SqlitePlace):
    """A file that loses, after every kill, what was not on the disk."""

    def __init__(self, folder: Path, durability: str = "full") -> None:
        self.disk = folder / "disk"
        self.disk.mkdir()
        super().__init__(self.disk, durability)
        self.survives = SURVIVES[durability]
        self.shim = build(folder)
        memory = Path("/dev/shm")
        self.shadow = Path(tempfile.mkdtemp(prefix="crash-shadow-", dir=memory if memory.is_dir() else folder))

    @property
    def environment(self) -> dict[str, str]:
        """For the server."""
        return {
            "LD_PRELOAD": str(self.shim),
            "POWERCUT_WATCH": str(self.disk.resolve()),
            "POWERCUT_SHADOW": str(self.shadow),
        }

    def after_kill(self, chance: random.Random) -> str:
        """Lose what is lost; return what must have survived."""
        names = {part.name for part in self.parts()} | {part.name for part in self.shadow.iterdir()}
        lucky = chance.choice((0.0, 0.5, chance.random()))
        for name in names:
            if not name.endswith((".gone", ".unfinished")):
                self.lose(name, lucky, chance)
        self.remember()
        return self.survives

    def lose(self, name: str, lucky: float, chance: random.Random) -> None:
        """Leave what was forced to disk of a file, and of the rest each page with the probability `lucky`."""
        file, kept = self.disk / name, self.shadow / name
        if not kept.exists() and chance.random() >= lucky:
            file.unlink()
            return
        if not file.exists() and chance.random() < lucky:
            return
        old = kept.read_bytes() if kept.exists() else b""
        new = file.read_bytes() if file.exists() else old
        if chance.random() < lucky and len(new) != len(old):  # its new length was written, whatever its content
            old = old[: len(new)].ljust(len(new), b"\0")
        pages = bytearray(old)
        for at in range(0, min(len(old), len(new)), PAGE):
            if pages[at : at + PAGE] != new[at : at + PAGE] and chance.random() < lucky:
                page = new[at : at + PAGE]
                pages[at : at + len(page)] = page
        file.write_bytes(pages)

    def remember(self) -> None:
        """The machine is up again: what is there now is on the disk."""
        for old in self.shadow.iterdir():
            old.unlink()
        for part in self.parts():
            shutil.copyfile(part, self.shadow / part.name)

    def fill(self, jobs: list[StoredJob], metadata: Metadata) -> None:
        """Put jobs into it, and have them on the disk."""
        super().fill(jobs, metadata)
        self.remember()

    def clear(self) -> None:
        """Begin anew."""
        super().clear()
        self.remember()

    def close(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.shadow, ignore_errors=True)
