"""The report of a run: one HTML file that needs no network, no script and nothing beside it."""

from __future__ import annotations

from pathlib import Path

import jinja2
from markupsafe import Markup

from benchmarks import bars, table
from benchmarks.columns import Table
from benchmarks.figures import LIMIT, OURS
from benchmarks.headline import telling
from benchmarks.paper import Picture, fine
from benchmarks.results import Results

TEMPLATE = Path(__file__).parent / "report.html"

# what is told in which order: heading, the groups whose tables it has, the pictures it has
CHAPTERS = (
    ("Plain work", ("plain",), ("bars",)),
    ("Threads", ("threads",), ("rates", "threads")),
    ("Durable", ("durable",), ("durable",)),
    ("Growth", ("growth",), ("growth",)),
    ("Standing still", ("standstill",), ("standstill",)),
    ("Latency", ("latency",), ("latency",)),
    ("Memory", ("memory",), ("memory", "drained")),
    ("Trouble", ("trouble",), ()),
)


def write(results: Results, path: Path) -> None:
    """Write the report. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html(results), encoding="utf-8")


def html(results: Results) -> str:
    """Return the report."""
    from benchmarks.pictures import pictures

    room = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    room.filters["fine"] = fine
    drawn = {columns: pictures(results, columns) for columns in (1, 2)}
    tables = table.tables(results)
    chapters = [_chapter(title, groups, names, tables, drawn) for title, groups, names in CHAPTERS]
    judged = bars.verdicts(results) if results.options.get("bars") else []
    return room.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        results=results,
        ours=OURS,
        limit=LIMIT,
        measured=measured(results),
        rounds=max((len(one.rounds) for row in results.rows for one in row.measured), default=0),
        telling=telling(results),
        chapters=[chapter for chapter in chapters if chapter["tables"]],
        judged=judged,
        summary=bars.summary(judged),
        command=command(results),
    )


def measured(results: Results) -> str:
    """Name what was measured, with versions; the limit has none that anybody knows."""
    there = [subject for subject in results.subjects if not subject.missing]
    return ", ".join(subject.label if subject.label == LIMIT else table.named(subject) for subject in there)


def command(results: Results) -> str:
    """Return the words that repeat the run."""
    options = results.options
    if options.get("command"):
        return options["command"]
    words = ["python -m benchmarks"]
    words += [f"--{options['profile']}"] if options.get("profile") in ("quick", "full") else []
    words += [f"--rounds={options['rounds']}"] if options.get("rounds") else []
    words += [f"--only='{text}'" for text in options.get("only", "").split(", ") if text]
    words += [f"--threads={options['threads']}"] if options.get("threads") else []
    words += [f"--against={options['against'].replace(', ', ',')}"] if options.get("against") else []
    return " ".join(words)


def _chapter(
    title: str,
    groups: tuple[str, ...],
    names: tuple[str, ...],
    tables: list[Table],
    drawn: dict[int, list[Picture]],
) -> dict[str, object]:
    pairs = []
    for name in names:
        found = [picture for columns in (1, 2) for picture in drawn[columns] if picture.name == f"{name}{columns}"]
        pairs.append([Markup(picture.inline(kind)) for picture, kind in zip(found, ("phone", "wide"), strict=False)])
    return {
        "title": title,
        "tables": [one for one in tables if one.group in groups],
        "pictures": [pair for pair in pairs if pair],
    }
