"""The report of a run in a real browser, its pictures, and README's section."""

from __future__ import annotations

import html.parser
import io
import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from benchmarks import readme, report, results, table
from benchmarks.paper import ANY, COLOURS, DARK, LIGHT, Paper, apart, ticks
from benchmarks.pictures import pictures
from benchmarks.results import Results, Row
from tests.support.browser import Browser, browser
from tests.support.peers import PROJECT, peer
from tests.support.results_made_up import DURABLE, MEMORY, PLAIN, made_up, with_threads

MADE = made_up()
NAMES = [row.name for row in MADE.rows]
SVG = "{http://www.w3.org/2000/svg}"


class Links(html.parser.HTMLParser):
    """What a page refers to, and what it can be referred to by."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "xlink:href", "action", "data", "poster"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")


def without(found: Results, *groups: str) -> Results:
    """The run without some groups of scenarios."""
    return msgspec.structs.replace(found, rows=[row for row in found.rows if row.group not in groups])


def only(found: Results, *subjects: str) -> Results:
    """The run with some subjects."""
    rows = [
        msgspec.structs.replace(row, measured=[one for one in row.measured if one.subject in subjects])
        for row in found.rows
    ]
    return msgspec.structs.replace(found, rows=rows)


# --- the report -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all pages."""
    with browser(peer("chromium")) as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report as a file."""
    path = tmp_path_factory.mktemp("report") / "sub folder" / "report.html"
    report.write(MADE, path)
    return path


@pytest.mark.parametrize(
    ("width", "height", "dark"), [(390, 844, False), (360, 640, True), (1280, 900, False), (1280, 900, True)]
)
def test_the_report_opens_in_a_browser(chromium: Browser, page: Path, width: int, height: int, dark: bool) -> None:
    seen = chromium.open(page.as_uri(), width, height, dark=dark)
    assert seen.complaints == []
    assert seen.asked_for == [page.as_uri()], "it asked for more than itself"
    assert seen.scroll_width <= width, "the page scrolls sideways"
    assert seen.cut == [], "columns are cut"
    for name in NAMES:
        assert name in seen.text
    pixels = decoded(seen.png)
    assert pixels.shape[:2] == (height, width)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50, "there is next to nothing on it"
    assert (np.median(pixels) < 0.3) is np.bool_(dark)


def decoded(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Red, green and blue, from 0 to 1."""
    from matplotlib.image import imread

    return np.asarray(imread(io.BytesIO(png), format="png"), dtype=np.float32)[..., :3]


def test_the_browser_would_tell(chromium: Browser, tmp_path: Path) -> None:
    """What the test above asserts can be seen to be otherwise."""
    path = tmp_path / "bad.html"
    path.write_text(
        '<meta name="viewport" content="width=device-width"><div style="width: 900px">x</div>'
        '<div class="box" aria-label="wide" style="width: 10px; overflow-x: auto"><table><td>abcd</table></div>'
        '<script>console.log("said")</script><img src="gone.png">'
    )
    seen = chromium.open(path.as_uri(), 390, 844)
    assert seen.scroll_width > 390
    assert seen.cut == ["wide"]
    assert len(seen.complaints) >= 1
    assert any("said" in complaint for complaint in seen.complaints)
    assert (tmp_path / "gone.png").as_uri() in seen.asked_for


def test_the_report_refers_to_nothing_outside_and_to_nothing_that_is_not_there() -> None:
    links = Links(report.html(MADE))
    assert "script" not in links.tags
    assert len(links.ids) == len(set(links.ids)), "an id twice"
    for link in links.links:
        assert link.startswith("#") or link == "data:,", link
        assert link[1:] in links.ids or link == "data:,"
    text = report.html(MADE)
    assert not re.search(r"url\((?!#)|@import", text)
    for reference in re.findall(r"url\(#([^)]+)\)", text):
        assert reference in links.ids


def test_the_report_says_what_was_measured_where_and_how() -> None:
    text = report.html(MADE)
    for word in (MADE.commit, "2026-08-01 12:34", *MADE.machine.values(), *MADE.not_measured, "gearmand 1.1.20"):
        assert word in text, word
    for subject in MADE.subjects:
        assert subject.command in text
    assert "<code>python -m benchmarks</code>" in text
    again = msgspec.structs.replace(MADE, options={"profile": "full", "rounds": "7", "only": "drain, submit"})
    words = "python -m benchmarks --full --rounds=7 --only=&#39;drain&#39; --only=&#39;submit&#39;"
    assert f"<code>{words}</code>" in report.html(again)


def test_a_report_of_less_has_less_in_it() -> None:
    less = report.html(without(MADE, "durable", "latency", "memory", "growth", "trouble"))
    assert "<h2>Plain work</h2>" in less
    assert "<h2>Durable</h2>" not in less
    assert "<h2>Latency</h2>" not in less
    assert "<h2>Memory</h2>" not in less
    alone = report.html(only(MADE, "gearfast"))
    assert "submit 8 x 100" in alone
    nothing = report.html(msgspec.structs.replace(MADE, rows=[], subjects=[], machine={}, options={}, not_measured=[]))
    assert "How to read it" in nothing


def test_the_bars_are_for_those_who_ask_for_them() -> None:
    """Others would read "2 NOT met, 29 not measured" as the verdict on a quick run."""
    assert "The bars" not in report.html(MADE)
    asked = msgspec.structs.replace(only(MADE, "gearfast"), options={**MADE.options, "bars": "yes"})
    text = report.html(asked)
    assert "<h2>The bars</h2>" in text
    assert "not measured" in text


def test_the_report_says_which_figure_decides() -> None:
    """Beside jobs per second, which the load generator may bound."""
    text = report.html(MADE)
    assert table.DECIDES in text
    assert ">busy</th>" in text


def test_names_cannot_break_the_report() -> None:
    name = """<script>alert("$x$ & 'y'")</script>"""
    rows = [
        msgspec.structs.replace(row, name=f"{name} {row.group}", sentence=name, curve=row.curve and name)
        for row in MADE.rows
    ]
    text = report.html(msgspec.structs.replace(MADE, rows=rows, commit=name))
    assert "script" not in Links(text).tags
    assert "alert(" in text


# --- pictures -------------------------------------------------------------------------------------------

ODD = {
    "all": MADE,
    "without gearmand": only(MADE, "gearfast", "limit"),
    "ours alone": only(MADE, "gearfast"),
    "by threads": with_threads(MADE),
    "by threads, without others": only(with_threads(MADE, (1, 16)), "gearfast 1 thread", "gearfast 16 threads"),
    "by threads, with cores": msgspec.structs.replace(with_threads(MADE), options={"loads": "8"}),
    "noisy": made_up(3, noise=0.6),
    "one round": made_up(4, rounds=1),
    "slow": made_up(5, slower=dict.fromkeys(PLAIN, 400.0)),
    "one scenario": msgspec.structs.replace(MADE, rows=MADE.rows[:1]),
}
EVERY = [(odd, columns) for odd in ODD for columns in (1, 2)]


@pytest.mark.parametrize(("odd", "columns"), EVERY)
def test_pictures_are_whole_and_nothing_lies_on_another(odd: str, columns: int) -> None:
    for picture in pictures(ODD[odd], columns):
        with picture.drawn(LIGHT) as paper:
            words = written(paper)
            page = paper.sheet.bbox
            for text, box in words:
                inside = box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0 and box.y1 <= page.y1
                assert inside, f"{picture.name}: {text!r} is cut"
            for (one, its), (two, other) in itertools.combinations(words, 2):
                assert not its.overlaps(other), f"{picture.name}: {one!r} lies on {two!r}"


def written(paper: Paper) -> list[tuple[str, Any]]:
    """All words on a sheet, and the boxes they fill."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    canvas: Any = FigureCanvasAgg(paper.sheet)
    canvas.draw()
    found = [text for text in paper.sheet.findobj(Text) if isinstance(text, Text)]
    shown = [text for text in found if text.get_text() and text.get_visible()]
    return [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in shown]


@pytest.mark.parametrize("columns", [1, 2])
def test_pictures_are_valid_and_say_all(columns: int) -> None:
    drawn = {picture.name.rstrip("12"): picture for picture in pictures(MADE, columns)}
    assert list(drawn) == ["bars", "durable", "growth", "standstill", "latency", "memory", "drained"]
    said = {}
    for name, picture in drawn.items():
        root = ElementTree.fromstring(picture.svg(DARK))
        assert root.tag == f"{SVG}svg"
        said[name] = [text.text or "" for text in root.iter(f"{SVG}text")]
        assert len(list(root.iter(f"{SVG}path"))) > 4
        assert any("better" in text for text in said[name]), "say what is good"
    assert set(PLAIN) <= set(said["bars"])
    assert {f"durable, {name}" for name in DURABLE} <= set(said["durable"])
    for group in ("growth", "standstill"):
        assert {row.curve for row in MADE.rows if row.curve and row.group == group} <= set(said[group])
    assert "gearmand > 10 s" in said["standstill"]
    assert {f"memory, {name}" for name in MEMORY} <= set(said["memory"])
    for percent in ("50 %", "90 %", "99 %", "99.9 %", "99.99 %"):
        assert said["latency"].count(percent) == 2
    for name, unit in (
        ("bars", " µs"),
        ("growth", "µs per job"),
        ("standstill", " ms"),
        ("durable", " k/s"),
        ("latency", " ms"),
        ("memory", " KB"),
    ):
        assert any(unit in text for text in said[name]), f"{name} has no unit"


def test_bars_are_as_long_as_the_figures() -> None:
    """Each on the scale of its scenario, in the order of the rows."""
    (picture,) = [picture for picture in pictures(MADE) if picture.name == "bars1"]
    with picture.drawn(LIGHT) as paper:
        lengths = iter([patch.get_width() for patch in paper.sheet.axes[0].patches if isinstance(patch, Rectangle)])
    for row in MADE.rows:
        if row.group == "plain":
            figures = [median(row, subject) for subject in COLOURS if median(row, subject)]
            shown = list(itertools.islice(lengths, len(figures)))
            # a bar of next to nothing is drawn 0.8 points long
            wanted = [max(figure / max(figures) * max(shown), 0.8) for figure in figures]
            assert shown == pytest.approx(wanted, rel=0.001)
    assert list(lengths) == []


def median(row: Row, subject: str) -> float:
    """CPU per job, or 0."""
    measured = row.of(subject)
    figures = sorted(one.cpu or 0 for one in measured.rounds) if measured else []
    return figures[len(figures) // 2] if figures else 0.0


def test_a_picture_is_the_same_each_time_and_in_the_ink_asked_for() -> None:
    for one, two in zip(pictures(MADE, 2), pictures(MADE, 2), strict=True):
        assert one.svg(LIGHT) == two.svg(LIGHT)
        assert LIGHT in one.svg(LIGHT)
        assert LIGHT not in one.svg(DARK)
        inline = one.inline("wide")
        assert ANY not in inline
        assert "currentColor" in inline
        ElementTree.fromstring(inline)


def test_pictures_have_pixels_too() -> None:
    for picture in pictures(MADE):
        pixels = decoded(picture.png())
        assert pixels.shape[1] > 700
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20


def test_names_beside_lines_are_kept_apart() -> None:
    placed = apart([10.0, 10.5, 11.0, 40.0], 8)
    assert all(two - one > 7.99 for one, two in itertools.pairwise(sorted(placed)))
    assert placed[3] == 40.0
    assert apart([30.0, 5.0], 8) == [30.0, 5.0]


def test_axes_are_marked_with_round_numbers() -> None:
    assert ticks(0.5, 2000) == [1, 10, 100, 1000]
    assert ticks(3, 30) == [5, 10, 20]
    assert ticks(1, 1) == [1]


def test_matplotlib_is_loaded_only_for_pictures() -> None:
    modules = "table, bars, compare, progress, report, readme, headline, paper, pictures"
    program = f"import sys; from benchmarks import {modules}; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True, timeout=60)


# --- README ---------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with a README that has an old section."""
    (tmp_path / "benchmarks").mkdir()
    text = f"# Title\n\nBefore.\n\n{readme.BEGIN}\nold\n{readme.END}\n\nAfter.\n"
    (tmp_path / "README.md").write_text(text)
    results.save(MADE, tmp_path / "run.json")
    return tmp_path


def test_readme_is_made_from_results(tree: Path) -> None:
    assert readme.main([str(tree / "run.json")], tree) == 0
    text = (tree / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# Title\n\nBefore.\n\n")
    assert text.endswith("\n\nAfter.\n")
    assert "old" not in text
    table = re.findall(r"^\| (.+) \|$", text, re.MULTILINE)
    assert [line.split(" | ")[0] for line in table] == [
        "server CPU per job",
        *PLAIN,
        "durable jobs per second",
        *DURABLE,
    ]
    assert "2026-08-01" in text
    assert "`make bench`" in text
    for name in re.findall(r'(?:srcset|src)="([^"]+)"', text):
        assert (tree / name).exists()
    assert_readme(tree)
    # and again, from what was kept
    assert readme.main([], tree) == 0
    assert (tree / "README.md").read_text(encoding="utf-8") == text


def test_readme_table_has_the_medians() -> None:
    (line,) = [line for line in readme.section(MADE).splitlines() if line.startswith("| drain, 16 workers")]
    (row,) = [row for row in MADE.rows if row.name == "drain, 16 workers of 900 k"]
    gearfast, gearmand, limit = (median(row, subject) for subject in ("gearfast", "gearmand", "limit"))
    cells = line.strip("| ").split(" | ")
    assert cells[1:3] == [f"{gearfast:.1f} us", f"{gearmand:.0f} us"]
    assert re.fullmatch(r"1/2[123]", cells[3])
    assert cells[4] == f"{limit:.1f} us"


def test_readme_tells_what_is_durable() -> None:
    text = readme.section(MADE)
    (line,) = [line for line in text.splitlines() if line.startswith("| PostgreSQL, 8 x 50")]
    cells = line.strip("| ").split(" | ")
    assert re.fullmatch(r"\d\d(\.\d)? k/s", cells[1])
    assert cells[2].endswith(" k/s")
    assert 30 < float(cells[3]) < 36
    assert [cell.endswith(" us") for cell in cells[4:]] == [True, True]
    told = " ".join(text.split())
    for sentence in (
        r"[Tt]he disk commits \d(\.\d)? k/s by itself",
        r"99 take at most \d+ us while 50,000 durable jobs come in each second, \d+ us without them",
        r"listens again, with all of them, after 3\.2 s",
        r"Each takes 138 B of memory, 130 B without a store",
    ):
        assert re.search(sentence, told), sentence
    without_it = readme.section(without(MADE, "durable"))
    assert "durable" not in without_it
    assert "without a store" not in without_it


def test_readme_that_was_typed_by_hand_is_seen(tree: Path) -> None:
    readme.main([str(tree / "run.json")], tree)
    path = tree / "README.md"
    path.write_text(re.sub(r"\d\.\d us", "0.1 us", path.read_text(encoding="utf-8"), count=1), encoding="utf-8")
    with pytest.raises(AssertionError):
        assert_readme(tree)
    readme.main([], tree)
    results.save(made_up(7), tree / readme.KEPT)
    with pytest.raises(AssertionError):
        assert_readme(tree)


def test_readme_refuses_what_it_cannot_use(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (tree / "README.md").read_text()
    results.save(without(MADE, "plain"), tree / "less.json")
    (tree / "bad.json").write_text("{")
    for name, reason in (("less.json", "no plain scenario"), ("bad.json", "no results file"), ("gone.json", "No such")):
        assert readme.main([str(tree / name)], tree) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert reason in line
    assert (tree / "README.md").read_text() == before
    (tree / "README.md").write_text("no markers")
    assert readme.main([str(tree / "run.json")], tree) == 2
    assert readme.BEGIN in capsys.readouterr().err


def assert_readme(root: Path) -> None:
    """README and its pictures are what the kept results make."""
    kept = results.read(root / readme.KEPT)
    text = (root / "README.md").read_text(encoding="utf-8")
    assert readme.section(kept) in text
    for name in readme.drawn(kept):
        drawing = (root / readme.PICTURES / name).read_text(encoding="utf-8")
        ElementTree.fromstring(drawing)
        assert readme.digest(kept) in drawing, f"{name} was drawn from other results"


def test_readme_shows_the_kept_results() -> None:
    assert_readme(PROJECT)
