"""How admin lines are cut into words, and the figures of ``maxqueue`` (protocol sections 4.1, 4.4)."""

import pytest

from gearfast.plugins.admin import queue_limits
from gearfast.server.commands import words_of


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", [b""]),
        (b"status", [b"status"]),
        (b"drop   function  f", [b"drop", b"function", b"f"]),
        (b" status", [b"", b"status"]),
        (b"status ", [b"status", b""]),
        (b"a\tb", [b"a\tb"]),
    ],
)
def test_runs_of_spaces_part_words_and_a_space_at_an_end_makes_an_empty_one(line: bytes, words: list[bytes]) -> None:
    assert words_of(line) == words


@pytest.mark.parametrize(
    ("figures", "limits"),
    [
        ([], (0, 0, 0)),
        ([b"5"], (5, 5, 5)),
        ([b"+5"], (5, 5, 5)),
        ([b"5", b"6"], (5, 6, 0)),
        ([b"5", b"6", b"7"], (5, 6, 7)),
        ([b"-1"], (0, 0, 0)),
        ([b"many"], (0, 0, 0)),
        ([b"007x"], (7, 7, 7)),
        ([b"0"], (0, 0, 0)),
        ([b"9" * 5000], (999999999,) * 3),
    ],
)
def test_limits_are_read_like_stock_reads_numbers(figures: list[bytes], limits: tuple[int, int, int]) -> None:
    assert queue_limits(figures) == limits
