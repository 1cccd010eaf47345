"""A short soak: see `python -m tests.soak` for a long one."""

from pathlib import Path

import pytest

from tests.soak.__main__ import soak


@pytest.mark.timeout(300)
def test_everything_at_once_and_then_nothing(tmp_path: Path) -> None:
    stage = soak(tmp_path, 8, 2)
    assert stage.wrong == []
    assert min(stage.count[what] for what in ("round trips", "jobs worked on", "background jobs", "bad streams")) > 0
