"""How far a run is: a bar in a terminal, now and then a line elsewhere; always on stderr."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

# a line at most so often where there is no terminal: a log wants to know that it goes on, not every step
LINE_SECONDS = 15.0


class Progress:
    """Tells what is running and how much of it is done, until the block is left."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._bar = Bar(
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._total = 0
        self._done = 0
        self._text = ""
        self._began = time.monotonic()
        self._said = float("-inf")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def start(self, total: int) -> None:
        """Say how many steps there will be."""
        self._total = total
        self._bar.update(self._task, total=total)

    def doing(self, text: str) -> None:
        """Say what is running now."""
        self._text = text
        self._bar.update(self._task, description=text)
        self._line()

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        self._bar.advance(self._task)
        if self._done == self._total:
            self._text, self._said = "all done", float("-inf")
        self._line()

    def _line(self) -> None:
        now = time.monotonic()
        if self._console.is_terminal or now - self._said < LINE_SECONDS:
            return
        self._said = now
        minutes, seconds = divmod(int(now - self._began), 60)
        self._console.print(
            f"{self._done} of {self._total}, {minutes}:{seconds:02}, {self._text}", markup=False, soft_wrap=True
        )
