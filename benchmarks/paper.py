"""What the pictures are drawn on: a sheet measured in points from its upper left corner (matplotlib, loaded late)."""

from __future__ import annotations

import contextlib
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# told apart by the colour-blind too (after Okabe and Ito), and of a lightness that either ground bears
COLOURS = {"gearfast": "#0f86d1", "gearmand": "#d55e00", "beanstalkd": "#d9a400", "limit": "#8a9099"}
OTHERS = ("#cc79a7", "#009e73", "#a6761d")
MARKERS = {"gearfast": "o", "gearmand": "s", "beanstalkd": "^", "limit": "D"}

# inks for the two grounds; ANY stands for the colour of the text around a picture that is part of a page
LIGHT, DARK, ANY = "#24292f", "#e6edf3", "#010203"
QUIET = 0.72
"""how much of the ink shows in what is said by the way"""

PHONE = 338.0
"""points: on a phone the letters of 9 points are then some 10 pixels high"""

GUTTER = 26.0
"""points between two columns of panels"""

NAMES = 64.0
"""points for the subjects' names, left of their bars and right of their lines"""

MARGIN = 7.0
"""points left free on every side"""

# Verdana is as wide as the font that matplotlib brings, all other usual ones are narrower: nothing runs into another
FONTS = "'DejaVu Sans', Verdana, system-ui, sans-serif"

SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "gearfast",
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
}


def colour_of(subject: str) -> str:
    """Return the one colour of a subject, the same in every picture."""
    return COLOURS.get(subject) or OTHERS[sum(subject.encode()) % len(OTHERS)]


def fine(text: str) -> str:
    """Write a unit as print has it."""
    return re.sub(r"\bus\b", "µs", text)


class Paper:
    """A sheet of so many points, and a margin around them; y grows downwards."""

    def __init__(self, width: float, height: float, ink: str) -> None:
        from matplotlib.figure import Figure

        self.width = width
        self.height = height
        self.ink = ink
        self.sheet = Figure(figsize=((width + 2 * MARGIN) / 72, (height + 2 * MARGIN) / 72))
        self._ground: Any = self.sheet.add_axes((0, 0, 1, 1))
        self._ground.set(xlim=(-MARGIN, width + MARGIN), ylim=(height + MARGIN, -MARGIN))
        self._ground.set_axis_off()

    def text(self, x: float, y: float, words: str, size: float = 8.5, **how: Any) -> None:
        """Write words, their base line at y."""
        self._ground.text(x, y, fine(words), fontsize=size, **{"va": "baseline", **how})

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """Draw a bar to the right of x, y being its upper edge."""
        from matplotlib.patches import Rectangle

        self._ground.add_patch(Rectangle((x, y), max(width, 0.8), height, facecolor=colour, linewidth=0))

    def line(self, x: Sequence[float], y: Sequence[float], width: float = 0.8, **how: Any) -> None:
        """Draw a line through points."""
        self._ground.plot(x, y, linewidth=width, solid_capstyle="butt", **{"color": self.ink, **how})

    def whisker(self, least: float, most: float, y: float, size: float) -> None:
        """Draw how far rounds lie apart, over a bar."""
        self.line([least, most], [y, y])
        for end in (least, most):
            self.line([end, end], [y - size / 2, y + size / 2])

    def heading(self, title: str, *lines: str) -> float:
        """Write what the picture shows, and return where it ends."""
        self.text(0, 13, title, 12, weight="bold")
        for at, words in enumerate(lines):
            self.text(0, 28 + 12 * at, words, 8.5, alpha=QUIET)
        return 22.0 + 12 * len(lines)

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Return axes whose frame is that rectangle."""
        w, h = self.width + 2 * MARGIN, self.height + 2 * MARGIN
        left, low = (x + MARGIN) / w, 1 - (y + height + MARGIN) / h
        return self.sheet.add_axes((left, low, width / w, height / h), facecolor="none")


Draw = Callable[[str], Paper]


class Picture:
    """One picture, drawn anew in each ink it is asked for; `says` is for those who cannot see it."""

    def __init__(self, name: str, says: str, draw: Draw) -> None:
        self.name = name
        self.says = says
        self._draw = draw

    def svg(self, ink: str = ANY, note: str = "") -> str:
        """Return it as SVG; `note` is kept inside as its description."""
        metadata = {"Date": None, "Creator": None, "Title": self.says, "Description": note or None}
        text = self._saved("svg", ink, metadata=metadata).decode()
        text = re.sub(r"[ \t]+\n", "\n", text.replace("'DejaVu Sans'", FONTS))
        # a hundredth of a point is less than any screen shows
        return re.sub(r"(?<=\d)(\.\d\d)\d+", r"\1", text)

    def inline(self, kind: str = "") -> str:
        """Return the SVG element alone, its ink that of the text around it, to be part of a page."""
        text = self.svg()
        text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg ") :], flags=re.DOTALL)
        text = text.replace(ANY, "currentColor").replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
        text = text.replace("xlink:href=", "href=")
        # ids are each picture's own, and a page has all of them in one room
        text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{self.name}-", text)
        return text.replace("<svg ", f'<svg role="img" aria-label="{self.says}" class="{kind}" ', 1)

    def png(self, ink: str = LIGHT, ground: str = "white") -> bytes:
        """Return it as PNG, on a ground."""
        return self._saved("png", ink, facecolor=ground, dpi=160, pad_inches=0)

    @contextlib.contextmanager
    def drawn(self, ink: str) -> Iterator[Paper]:
        """Draw it, and hold what it was drawn with while in the block."""
        import matplotlib as mpl

        inked = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), ink)
        with mpl.rc_context():
            # told one by one, since matplotlib's own types take no dictionary of them
            for key, value in {**SETTINGS, **inked}.items():
                mpl.rcParams[key] = value  # type: ignore[index,unused-ignore]
            yield self._draw(ink)

    def _saved(self, kind: str, ink: str, **how: Any) -> bytes:
        out = io.BytesIO()
        with self.drawn(ink) as paper:
            paper.sheet.savefig(out, format=kind, **{"facecolor": "none", **how})
        return out.getvalue()


def apart(wanted: Sequence[float], gap: float) -> list[float]:
    """Return heights as near to the wanted ones as may be, none nearer to another than `gap`."""
    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    placed = [wanted[at] for at in order]
    for _ in range(60):
        for low in range(len(placed) - 1):
            short = gap - (placed[low + 1] - placed[low])
            if short > 1e-6:
                placed[low] -= short / 2
                placed[low + 1] += short / 2
    found = [0.0] * len(wanted)
    for at, height in zip(order, placed, strict=True):
        found[at] = height
    return found


def round_below(value: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, 50 and so on that is not more."""
    decade = 10.0 ** math.floor(math.log10(value))
    return max(step * decade for step in (1, 2, 5) if step * decade <= value)


def ticks(least: float, most: float) -> list[float]:
    """Return round numbers for a logarithmic axis: 1, 10, 100; 1, 2, 5, 10 where there are few of them."""
    decades = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    steps = (1,) if math.log10(most / least) > 1.7 else (1, 2, 5)
    every = 2 if len(decades) > 7 else 1
    found = [step * 10.0**decade for decade in decades[::every] for step in steps]
    return [tick for tick in found if least * 0.999 <= tick <= most * 1.001]
