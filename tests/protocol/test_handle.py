"""The names of jobs (protocol section 3.1)."""

from __future__ import annotations

import pytest

from gearfast.protocol.handle import Handles


@pytest.mark.parametrize("number", [0, 1, 9, 10, 4294967296, 2**64 - 1])
def test_a_handle_is_written_as_the_prefix_and_the_number(number: int) -> None:
    assert Handles(b"H:here").format(number) == b"H:here:%d" % number


@pytest.mark.parametrize("number", [1, 10, 4294967296, 10**18])
def test_a_handle_is_read_as_it_is_written(number: int) -> None:
    handles = Handles(b"H:here")
    assert handles.number(handles.format(number)) == number


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"H",
        b"H:here",
        b"H:here:",
        b"H:here:0",
        b"H:here:01",
        b"H:here:1\0",
        b"H:here:1 ",
        b"H:here: 1",
        b"H:here:-1",
        b"H:here:1x",
        b"H:there:1",
        b"h:here:1",
        b"H:here:" + b"9" * 20,
        b"H:here:" + b"1" * 100,
    ],
)
def test_what_is_not_ours_is_no_handle(text: bytes) -> None:
    assert Handles(b"H:here").number(text) == 0


def test_a_prefix_may_be_empty_and_has_at_most_42_bytes() -> None:
    assert Handles(b"").format(7) == b":7"
    assert len(Handles(b"p" * 42).format(2**64 - 1)) == 63
    with pytest.raises(ValueError, match="42"):
        Handles(b"p" * 43)
