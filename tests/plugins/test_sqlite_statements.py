"""Jobs become few statements, of few sizes: each is parsed once, and run in one step."""

from __future__ import annotations

import pytest

from gearfast.plugins.sqlite.store import deletes, inserts
from gearfast.store.contract import StoredJob
from gearfast.store.testing import a_job


@pytest.mark.parametrize("count", [*range(70), 127, 128, 129, 191, 192, 193, 255, 256, 257, 1000, 5000])
def test_few_statements_of_few_sizes_write_every_job(count: int) -> None:
    jobs = list(map(a_job, range(1, count + 1)))
    width = len(StoredJob._fields)
    seen: dict[int, StoredJob] = {}
    statements = list(inserts("t", jobs, 256))
    for sql, values in statements:
        rows = [StoredJob(*values[place : place + width]) for place in range(0, len(values), width)]
        assert sql.count("?") == len(values)
        assert len(rows).bit_count() == 1
        assert len(rows) <= 256
        seen |= {job.number: job for job in rows}
    assert list(seen.values()) == jobs
    assert len(statements) <= count // 256 + 4
    assert sum(sql.count("(") for sql, _ in statements) <= count * 4 / 3


@pytest.mark.parametrize("count", [*range(70), 127, 128, 129, 1000, 8192, 8193, 20_000])
def test_one_statement_deletes_thousands(count: int) -> None:
    keys = list(range(1, count + 1))
    statements = list(deletes("t", "number", keys, 8192))
    assert sorted({key for _, values in statements for key in values}) == keys
    assert all(sql.count("?") == len(values) and len(values).bit_count() == 1 for sql, values in statements)
    assert len(statements) == -(-count // 8192)
