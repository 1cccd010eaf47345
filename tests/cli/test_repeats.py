"""Lines that are said again and again: what is written of them, and when; the clock is an argument."""

from __future__ import annotations

from gearfast.cli.log.repeats import Repeats, Summary


def test_first_is_written_and_the_rest_counted_until_the_window_is_over() -> None:
    repeats = Repeats(10, 3, 4)
    assert repeats.admit("k", 40, "x", 100)
    assert not repeats.pending
    assert not any(repeats.admit("k", 40, "x", 100 + n) for n in range(1, 8))
    assert repeats.pending
    assert repeats.due(109.9) == []
    assert repeats.due(110) == [Summary(40, "the same line 7 times more within 10 s: x")]
    assert not repeats.pending


def test_who_goes_on_is_told_by_a_count_in_each_window() -> None:
    repeats = Repeats(10, 3, 4)
    written = [now for now in range(100) if repeats.admit("k", 40, "x", now) or repeats.due(now)]
    assert written == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]


def test_after_a_quiet_window_it_is_a_new_line() -> None:
    repeats = Repeats(10, 3, 4)
    assert repeats.admit("k", 40, "x", 0)
    assert repeats.admit("k", 40, "x", 10)
    assert not repeats.admit("k", 40, "x", 19)


def test_a_count_is_told_before_its_line_is_written_again() -> None:
    """Whoever looks may be late: the line goes on being counted until then."""
    repeats = Repeats(10, 3, 4)
    repeats.admit("k", 40, "x", 0)
    repeats.admit("k", 40, "x", 1)
    assert not repeats.admit("k", 40, "x", 500)
    assert repeats.due(500) == [Summary(40, "the same line 2 times more within 500 s: x")]


def test_a_line_is_news_when_another_has_come_between() -> None:
    """A store is away, back, away again, and back: a reader who misses a line gets it wrong."""
    repeats = Repeats(10, 3, 4)
    assert [repeats.admit(key, 40, key, 0) for key in "ababaabb"] == [True, True, True, True, True, False, True, False]


def test_two_lines_in_turn_without_end_are_a_fault_too() -> None:
    repeats = Repeats(10, 3, 4)
    written = [repeats.admit("ab"[number % 2], 40, "x", number / 1000) for number in range(9000)]
    assert written == [True] * 6 + [False] * 8994
    assert [summary.text for summary in repeats.due(10.5)] == ["the same line 4497 times more within 10 s: x"] * 2
    assert [repeats.admit("ab"[number % 2], 40, "x", 11) for number in range(10)] == [False] * 10


def test_the_one_unsaid_for_longest_is_forgotten_with_its_count_told() -> None:
    repeats = Repeats(10, 3, 2)
    for key in "aabbaa":
        repeats.admit(key, 40, key, 0)
    assert repeats.admit("c", 40, "c", 1)
    assert repeats.due(1) == [Summary(40, "the same line 1 time more within 1 s: b")]
    assert not repeats.admit("a", 40, "a", 2)


def test_memory_is_bounded_and_quiet_lines_are_let_go() -> None:
    repeats = Repeats(10, 3, 8)
    for number in range(1000):
        repeats.admit(str(number), 40, "x", number / 1000)
    assert len(repeats.said) == 8
    repeats.due(100)
    assert not repeats.said


def test_at_the_end_all_counts_are_told() -> None:
    repeats = Repeats(10, 3, 4)
    repeats.admit("k", 30, "x", 0)
    repeats.admit("k", 30, "x", 0)
    assert repeats.due(0, all_of_them=True) == [Summary(30, "the same line 1 time more within 1 s: x")]
