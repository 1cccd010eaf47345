"""The words behind ``gearfast store``: they look into a store and change nothing, and move jobs into one.

Exit codes: 0, or 1 with one line on standard error; also 1 when gearmand's format could not hold every job.
"""

import asyncio
import contextlib
import logging
import os
import stat
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

import uvloop

from gearfast.cli import command, config_file, daemon, options, queues
from gearfast.cli.arguments import Arguments
from gearfast.cli.jobfile import PRIORITIES, first_line, line_of, summary_of
from gearfast.cli.jobimport import Import, Input, counted
from gearfast.cli.progress import Progress
from gearfast.config import default_handle_prefix
from gearfast.errors import ConfigError, GearfastError, StoreError
from gearfast.ground.clock import wall
from gearfast.logs import LEVELS
from gearfast.store.contract import PREFIX, Readable, Store, StoredJob, StoreSettings
from gearfast.store.record import state_of
from gearfast.store.stock import NO_JOBS

log = logging.getLogger("gearfast")

GEARMANDS = "(gearmand's)"
"""What marks a job that gearmand has there; the server's start, and ``--take-over``, make it gearfast's."""

COMMANDS = {
    "list": {"function", "json", "take-over"},
    "count": {"function", "take-over"},
    "export": {"function", "output", "to", "take-over"},
    "import": {"skip-bad"},
}
"""What there is to do, and the options that go with it."""

COUNTED = {
    **{priority: priority for priority in PRIORITIES},
    "due later": "due later",
    "total": "total",
    "schedule": "schedules",
    "buried": "buried",
    "ended": "ended",
    "unreadable": "unreadable",
}
"""Columns of the table that ``count`` prints: jobs first, then what is none to be done, by its state (state_of)."""


class GivesBack(Protocol):
    """A store that can turn its jobs into gearmand's own."""

    async def give_back(self) -> tuple[int, list[str]]:
        """Return how many jobs are gearmand's now, and a line for each that its format cannot hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What ``gearfast store`` is asked to do, checked."""

    word: str
    """One of COMMANDS; empty: print the help."""
    settings: StoreSettings
    prefix: str
    """Of handles, for a store in which none is noted yet."""
    function: bytes | None = None
    """Only jobs of this one; None: all."""
    as_json: bool = False
    to_gearmand: bool = False
    take_over: bool = False
    """Open the store as a server does, and make gearmand's jobs there gearfast's."""
    output: str = ""
    """File to export to; empty: standard output."""
    file: str = "-"
    """File to import; ``-``: standard input."""
    skip_bad: bool = False
    user: str = ""
    """Whom the store belongs to; empty: whoever runs this."""
    log_level: str = "NOTICE"
    warnings: tuple[str, ...] = ()
    """Lines for standard error: what was ignored, and why."""


def read(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> Errand:
    """Read the words behind ``gearfast store``. Raises ConfigError: one line."""
    given, strays, (word, *files) = split(words)
    if word not in COMMANDS:
        raise ConfigError(f"store {word}: no such command; there are {', '.join(COMMANDS)}")
    if len(files) > (word == "import"):
        raise ConfigError(f"store {word}: '{files[-1]}' is one argument too many")
    for option in options.STORE_OPTIONS.options:
        if given.has(option.name) and option.name not in COMMANDS[word]:
            raise ConfigError(f"store {word}: --{option.name} is not its option (see gearfast store {word} --help)")
    if given.has("to") and (given.has("function") or given.has("output") or given.has("take-over")):
        raise ConfigError("store export: --to gearmand moves every job; leave --function, --output and --take-over out")
    if given.has("verbose") and given.text("verbose") not in LEVELS:
        raise ConfigError("Invalid value for --verbose supplied", f"the levels are {', '.join(LEVELS)}")
    settings, remarks = queues.store_settings(given, environment)
    if settings is None:
        raise ConfigError(f"store {word}: name a store, such as --store=sqlite:/var/lib/gearfast/jobs.db")
    return Errand(
        word=word,
        settings=settings,
        prefix=command.handle_prefix(given.text("job-handle-prefix")) or default_handle_prefix(),
        function=os.fsencode(given.text("function")) if given.has("function") else None,
        as_json=given.has("json"),
        to_gearmand=given.has("to"),
        take_over=given.has("take-over"),
        output=given.text("output"),
        file=files[0] if files else "-",
        skip_bad=given.has("skip-bad"),
        user=given.text("user"),
        log_level=given.text("verbose") if given.has("verbose") else "NOTICE",
        warnings=(*strays, *remarks),
    )


def split(words: Sequence[str]) -> tuple[Arguments, tuple[str, ...], list[str]]:
    """Return the options, those of the config file with them, its warnings, and all other words: one at least."""
    given, rest = Arguments.read(words)
    if not rest:
        raise ConfigError(f"store: which command? gearfast store {'|'.join(COMMANDS)} (see gearfast store --help)")
    of_file, strays = config_file.read(given)
    return given.over(of_file), strays, rest


def wants_help(words: Sequence[str]) -> str | None:
    """Return the word that help is wanted for, empty for all of them; None when none is wanted."""
    given, rest = Arguments.read(words)
    return (rest[0] if rest and rest[0] in COMMANDS else "") if given.has("help") else None


def run(errand: Errand, store: Store, name: str) -> int:
    """Do it with the store, which is not open yet; return the exit code. ``name`` is the program's, for messages.

    Raises GearfastError, or BrokenPipeError when nobody reads the output any more.
    """
    if errand.word != "import":
        refuse_missing_file(errand.settings.url, store)
    if errand.user and os.geteuid() == 0:
        daemon.become(errand.user)
    with contextlib.ExitStack() as stack:
        stack.enter_context(log_to_terminal(errand.log_level, name))
        source = stack.enter_context(Input.open(errand.file)) if errand.word == "import" else None
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        if source is None:
            return runner.run(look(store, errand, name))
        return runner.run(take_in(store, errand, source, name))


async def look(store: Store, errand: Errand, name: str) -> int:
    """Do what needs nothing but the store."""
    reads = not (errand.to_gearmand or errand.take_over)
    async with opened(store, errand, read_only(store).look if reads else store.open) as metadata:
        prefix = metadata.get(PREFIX) or errand.prefix
        if errand.to_gearmand:
            return await give_back(store, name)
        async with aclosing(jobs_of(store, errand.function, left=reads)) as jobs:
            await {"list": list_jobs, "count": count_jobs, "export": export}[errand.word](jobs, errand, prefix)
    return 0


def read_only(store: Store) -> Readable:
    """Return the store as one that is only read. Raises StoreError when it cannot be."""
    if not hasattr(store, "look"):
        raise StoreError("this store cannot be opened without changing it: --take-over opens it as a server does")
    return cast(Readable, store)


def refuse_missing_file(url: str, store: Store) -> None:
    """Raise StoreError where a look into a store would make an empty one, as a slip of the pen would."""
    path = getattr(store, "path", "") if url.lower().startswith("sqlite:") else ""
    if path and not os.path.exists(path):
        raise StoreError(f"{path}: this file does not exist: name the file that the server uses as its store")


@contextlib.contextmanager
def log_to_terminal(level: str, name: str) -> Iterator[None]:
    """Show what the store logs, such as what it took over from gearmand, on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(f"{name}: %(message)s"))
    before, above = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(LEVELS[level])
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        log.propagate = above


@contextlib.asynccontextmanager
async def opened(
    store: Store, errand: Errand, opening: Callable[[], Awaitable[Mapping[str, str]]]
) -> AsyncIterator[Mapping[str, str]]:
    """Open the store in this way, and close it whatever happens; what it complains of is one line that names it."""
    url = errand.settings.url
    try:
        metadata = await opening()
    except StoreError as error:
        raise StoreError(queues.complaint(url, error)) from error
    except Exception as error:
        raise StoreError(queues.complaint(url, f"cannot be opened ({type(error).__name__}: {error})")) from error
    try:
        yield metadata
    except StoreError as error:
        raise StoreError(queues.complaint(url, error)) from error
    finally:
        await store.close()


async def jobs_of(store: Store, function: bytes | None = None, *, left: bool = False) -> AsyncGenerator[StoredJob]:
    """Yield the jobs, or those of one function; with ``left``, then those that gearmand has there, with the number 0.

    Raises StoreError, whatever the store raises.
    """
    sources = [store.replay(), *([read_only(store).left()] if left else [])]
    try:
        with Progress("jobs read", watched=not sys.stdout.isatty()) as progress:
            for batches in sources:
                async for jobs in batches:
                    for job in jobs:
                        if function is None or job.function == function:
                            yield job
                    progress.add(len(jobs))
    except GearfastError:
        raise
    except Exception as error:
        raise StoreError(f"cannot be read ({type(error).__name__}: {error})") from error
    finally:
        for batches in sources:
            if isinstance(batches, AsyncGenerator):
                await batches.aclose()


# --- list and count ------------------------------------------------------------------------


async def list_jobs(jobs: AsyncIterator[StoredJob], errand: Errand, prefix: str) -> None:
    """Print one line per job."""
    start = prefix.encode("utf-8", "surrogateescape")
    width = len(shown(start)) + 10
    write = sys.stdout.buffer.write
    if not errand.as_json:
        titles = b"state     priority  due                  attempts       bytes  function  unique"
        write(b"%-*b  %b\n" % (width, b"handle", titles))
    async for job in jobs:
        write(summary_of(job, start) if errand.as_json else row_of(job, start, width))


def row_of(job: StoredJob, prefix: bytes, width: int) -> bytes:
    """Return the line of a job in the list; the names come last, as they may be of any length."""
    handle = shown(b"%b:%d" % (prefix, job.number)) if job.number else GEARMANDS
    row = (
        f"{handle:<{width}}  {state_of(job.more):<8}  {PRIORITIES[job.priority]:<8}  {local_time(job.due):<19}  "
        f"{job.attempts:>8}  {len(job.payload):>10}  {shown(job.function)}  {shown(job.unique)}"
    )
    return row.rstrip().encode() + b"\n"


async def count_jobs(jobs: AsyncIterator[StoredJob], errand: Errand, prefix: str) -> None:
    """Print a table: jobs by function and priority, how many of them are not due yet, and what is no job to be done."""
    now = wall()
    rows: dict[tuple[bytes, bool], Counter[str]] = {}
    total = Counter[str]()
    async for job in jobs:
        state = state_of(job.more)
        for counter in (rows.setdefault((job.function, not job.number), Counter()), total):
            if state != "job":
                counter[state] += 1
                continue
            counter[PRIORITIES[job.priority]] += 1
            counter["due later"] += job.due > now
            counter["total"] += 1
    named = [(f"{shown(name)} {GEARMANDS}" if left else shown(name), rows[name, left]) for name, left in sorted(rows)]
    lines = [(*COUNTED.values(), "function")]
    lines += [(*(str(counter[kind]) for kind in COUNTED), name) for name, counter in [*named, ("(all)", total)]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COUNTED))]
    for line in lines:
        cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=False)]
        sys.stdout.buffer.write("  ".join([*cells, line[-1]]).encode() + b"\n")


def shown(text: bytes) -> str:
    """Return bytes as a person may see them: nothing that moves a terminal's cursor."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text.decode("utf-8", "backslashreplace")
    )


def local_time(due: float) -> str:
    """Return when a job is due, in local time; ``-`` for at once."""
    if due == 0:
        return "-"
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(due))
    except (OverflowError, ValueError, OSError):
        return f"{due:.0f}"


# --- export and import -----------------------------------------------------------------------


async def export(jobs: AsyncIterator[StoredJob], errand: Errand, prefix: str) -> None:
    """Write every job as a line of JSON."""
    start = prefix.encode("utf-8", "surrogateescape")
    with open_output(errand.output) as out:
        out.write(first_line(prefix))
        async for job in jobs:
            out.write(line_of(job, start))


@contextlib.contextmanager
def open_output(path: str) -> Iterator[BinaryIO]:
    """Open what is written to: standard output, or a file that takes its name when all of it is on disk."""
    if not path:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = os.path.realpath(path)
    try:
        with contextlib.ExitStack() as undo:
            if is_special(path):
                yield undo.enter_context(open(path, "wb"))
                return
            descriptor, temporary = tempfile.mkstemp(prefix=".gearfast-", dir=os.path.dirname(path))
            undo.callback(remove, temporary)
            with open(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            undo.pop_all()
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror})") from None


def is_special(path: str) -> bool:
    """Say whether this is a device or a pipe, which no file is to take the place of."""
    with contextlib.suppress(OSError):
        return not stat.S_ISREG(os.stat(path).st_mode)
    return False


def remove(path: str) -> None:
    """Remove a file, if it is there."""
    with contextlib.suppress(OSError):
        os.unlink(path)


async def give_back(store: Store, name: str) -> int:
    """Turn every job into one of gearmand's own."""
    if not hasattr(store, "give_back"):
        raise StoreError("gearmand has no store of this kind: export without --to, which writes JSON lines")
    count, refused = await cast(GivesBack, store).give_back()
    print(f"{counted(count, 'job')} given back to gearmand: start gearmand now; gearfast would take them again")
    for line in refused:
        print(f"{name}: {line}", file=sys.stderr)
    if refused:
        kinds = {kind: sum(line.endswith(reason) for line in refused) for kind, reason in NO_JOBS.items()}
        named = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
        why = f"because gearmand cannot store them{f' ({named})' if named else ''}"
        print(f"{name}: {len(refused):,} jobs stayed, {why}", file=sys.stderr)
    return 1 if refused else 0


async def take_in(store: Store, errand: Errand, source: Input, name: str) -> int:
    """Add the jobs of a file to the store."""

    def complain(line: str) -> None:
        print(f"{name}: {line}", file=sys.stderr)

    async with opened(store, errand, store.open) as metadata:
        taking = Import(store, metadata, errand.prefix)
        try:
            await taking.survey(source, complain if errand.skip_bad else None)
            async with aclosing(jobs_of(store)) as existing:
                await taking.write(source, existing)
        finally:
            if taking.added or taking.finished:
                print(taking.summary())
    return 0
