"""Writes lines from a thread of its own, so that whoever has something to say never waits for whoever is to read it.

A pipe may be full, a terminal stopped, a disk may hang: then lines wait, up to a limit, and what does not fit is
counted. The count is written when there is room again.
"""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from gearfast.cli.log.lines import Line
from gearfast.cli.log.sink import Sink, UnwrittenError
from gearfast.config import LINE_COST, LOG_BACKLOG, LOG_LOOK, LOG_PAUSE, LOG_WRITE
from gearfast.ground.clock import wall
from gearfast.logs import ERROR, word_of

Errand = Callable[[], None]
"""Something the thread does between two lines; it raises nothing."""


class Scribe:
    """The thread between those who say lines and a sink.

    Nothing but `flush` and `close` waits. `put` and `lose` belong to one thread at a time: a handler's lock sees to it.
    """

    def __init__(self, sink: Sink, look: Callable[[], bool] = lambda: False) -> None:
        """``look`` is called between writes; while it says True, it is called again soon, even if nothing is said."""
        self.sink = sink
        self.look = look
        self.queue: SimpleQueue[Line | Errand] = SimpleQueue()
        self.hurry = threading.Event()
        # Each number has one side that changes it: bytes and lines of those who say something ...
        self.said = 0
        self.lost = 0
        # ... and of the thread: bytes done with, lines that could not be written, how many of `lost` it has told.
        self.written = 0
        self.unwritten = 0
        self.told = 0
        self.reason = ""
        self.marked = False
        """In the queue stands where lines are missing."""
        self.over = False
        # A daemon: the end of the process does not wait for one that hangs.
        self.thread = threading.Thread(target=self.run, name="log", daemon=True)
        self.thread.start()

    # --- for those who have something to say ---

    def put(self, line: Line) -> None:
        """Have a line written, or count it when too much waits already."""
        if self.said - self.written > LOG_BACKLOG:
            self.lose()
        else:
            self.said += len(line.text) + LINE_COST
            self.queue.put(line)

    def lose(self) -> None:
        """Count a line that will not be written."""
        self.lost += 1
        if not self.marked:
            self.marked = True
            self.do(self.confess)

    def do(self, errand: Errand) -> None:
        """Have something done when all that was said before is written."""
        self.queue.put(errand)

    def wake(self) -> None:
        """Have `look` called."""
        self.do(lambda: None)

    def flush(self, seconds: float) -> None:
        """Return when all that was said before is written, or the time is over."""
        done = threading.Event()
        self.do(done.set)
        done.wait(seconds)

    def finish(self) -> None:
        """End when all is written."""
        self.do(self.stop)
        self.hurry.set()

    def close(self, seconds: float) -> None:
        """Finish, and wait for that; what has not been written by then is lost."""
        self.finish()
        self.thread.join(seconds)

    # --- the thread ---

    def stop(self) -> None:
        """Let this have been the last round."""
        self.over = True

    def run(self) -> None:
        """Write until told to stop. A short rest lets lines gather, and the event loop have the interpreter."""
        watched = False
        while not self.over:
            self.turn(LOG_LOOK if watched else None)
            if self.queue.empty():
                watched = self.look()
                self.hurry.wait(LOG_PAUSE)
        self.sink.close()

    def turn(self, patience: float | None) -> None:
        """Wait for something, then do what there is to do, up to LOG_WRITE bytes of lines."""
        lines: list[Line] = []
        size = 0
        try:
            thing = self.queue.get(timeout=patience)
            while True:
                if isinstance(thing, Line):
                    lines.append(thing)
                    size += len(thing.text) + LINE_COST
                    if size >= LOG_WRITE:
                        break
                else:
                    self.write(lines, size)
                    lines, size = [], 0
                    thing()
                thing = self.queue.get_nowait()
        except Empty:
            pass
        self.write(lines, size)

    def write(self, lines: list[Line], size: int) -> None:
        """Write lines; when that works, and it did not before, say how many were lost."""
        failed = self.attempt(lines) if lines else 0
        self.written += size
        self.unwritten += failed
        if self.unwritten and not failed:
            self.confess()

    def attempt(self, lines: list[Line]) -> int:
        """Write lines; return how many of them are lost, and remember why."""
        try:
            self.sink.write(lines)
        except UnwrittenError as error:
            self.reason = str(error)
            return error.count
        except Exception as error:  # it must go on, whatever that was
            self.reason = repr(error)
            return len(lines)
        return 0

    def confess(self) -> None:
        """Write how many lines are missing before this one, and why."""
        self.marked = False  # first: what is lost from now on gets a mark of its own
        lost = self.lost
        self.unwritten += lost - self.told
        self.told = lost
        if not self.unwritten:
            return
        lines = "1 line was" if self.unwritten == 1 else f"{self.unwritten} lines were"
        text = f"{lines} lost: {self.reason or 'whatever reads the log did not keep up'}"
        if not self.attempt([Line(ERROR, self.sink.render(word_of(ERROR), wall(), text))]):
            self.unwritten = 0
            self.reason = ""
