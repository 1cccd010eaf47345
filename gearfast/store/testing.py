"""The tests that every store of durable jobs must pass, for whoever writes one."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from typing import Any, ClassVar, TypeVar, cast

import pytest

from gearfast.errors import StoreError, StoreLostError
from gearfast.store.contract import Batch, Readable, Store, StoredJob, StoreSettings, room_of

Result = TypeVar("Result")

MANY = 20_000
"""Jobs of a large batch: more than the parameters one statement of any database may have."""


def a_job(number: int, **fields: Any) -> StoredJob:
    """Return a plain job; ``fields`` says what is not plain about it."""
    plain = StoredJob(number, b"resize", b"", 1, 0.0, 0, b"payload of %d" % number, b"")
    return plain._replace(**fields)


def adding(jobs: Iterable[StoredJob]) -> Batch:
    """Return a batch that only adds."""
    return Batch([], list(jobs), {})


def same(found: list[StoredJob], wanted: list[StoredJob]) -> None:
    """Compare what a store gave back, and show the first difference short enough to be read."""
    for place, (one, other) in enumerate(itertools.zip_longest(found, wanted)):
        if one != other:
            pytest.fail(f"job {place} of {len(found)} came back as {one!r:.300}; wanted: {other!r:.300}")


def typed(job: StoredJob) -> bool:
    """Whether every field is what the contract says, and not only equal to it."""
    kinds = (int, bytes, bytes, int, float, int, bytes, bytes)
    return type(job) is StoredJob and tuple(map(type, job)) == kinds


class StoreContract:
    """What a store promises, as tests of pytest.

    Derive from it in a test module of yours, name your store, and say where an empty place for it is::

        import pytest
        from gearfast.store.contract import StoreSettings
        from gearfast.store.testing import StoreContract
        from my_package import MyStore

        class TestMyStore(StoreContract):
            make_store = MyStore

            @pytest.fixture
            def store_settings(self, tmp_path):
                return StoreSettings(url=f"mine:{tmp_path}/jobs")

    Every test opens stores on that place, writes, closes, and looks at what a new store finds there.
    """

    make_store: ClassVar[Callable[..., Store]]
    """Makes a store of StoreSettings; it does not open it."""

    @pytest.fixture
    def store_settings(self) -> StoreSettings:
        """Of a place where nothing is yet, another one for each test."""
        raise NotImplementedError("give a fixture store_settings")

    def lose(self, settings: StoreSettings) -> bool:
        """Take away all that is there, behind the back of a store that is open: drop its tables, say. Override it.

        Return whether that was done; False: nobody can do that to such a store.
        """
        return False

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine to its end; override it to use a loop of your own."""
        return asyncio.run(main)

    @contextlib.asynccontextmanager
    async def opened(self, settings: StoreSettings) -> AsyncIterator[Store]:
        """Give a new store that is open, and close it."""
        store = type(self).make_store(settings)
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    async def written(self, settings: StoreSettings, *batches: Batch) -> list[StoredJob]:
        """Write the batches one after the other, and return what a new store then finds."""
        async with self.opened(settings) as store:
            for batch in batches:
                await store.write(batch)
        return await self.kept(settings)

    async def kept(self, settings: StoreSettings) -> list[StoredJob]:
        """Return what a new store finds."""
        async with self.opened(settings) as store:
            return [job async for jobs in store.replay() for job in jobs]

    async def metadata(self, settings: StoreSettings) -> dict[str, str]:
        """Return the metadata that a new store finds."""
        store = type(self).make_store(settings)
        try:
            return dict(await store.open())
        finally:
            await store.close()

    # --- what is kept ---

    def test_a_fresh_store_is_empty(self, store_settings: StoreSettings) -> None:
        assert self.run(self.metadata(store_settings)) == {}
        same(self.run(self.kept(store_settings)), [])

    def test_it_says_how_large_a_job_may_be(self, store_settings: StoreSettings) -> None:
        async def main() -> int:
            async with self.opened(store_settings) as store:
                return store.largest

        assert self.run(main()) >= 1 << 20

    def test_it_says_how_much_room_there_is_and_that_much_is_taken(self, store_settings: StoreSettings) -> None:
        """Or it does not say."""

        async def main() -> None:
            async with self.opened(store_settings) as store:
                room = await room_of(store)
                assert room is None or type(room) is int
                assert room is None or room >= 0
                await store.write(adding([a_job(1, payload=bytes(min(room or 0, 1 << 20, store.largest) // 2))]))
            assert len(await self.kept(store_settings)) == 1

        self.run(main())

    def test_facts_are_kept_and_add_up(self, store_settings: StoreSettings) -> None:
        odd = "Zo\u00eb's \u4e16\u754c \U0001f600 \"'\\%s\n:1"
        first, second = {"ceiling": "10", "prefix": "H:a"}, {"ceiling": str(2**63 - 1), odd: odd, "empty": ""}
        self.run(self.written(store_settings, Batch([], [], first), Batch([], [], second), Batch([], [], {})))
        assert self.run(self.metadata(store_settings)) == first | second

    def test_jobs_come_back_by_their_number(self, store_settings: StoreSettings) -> None:
        numbers = [7, 3, 10, 1, 2**40, 9, 2**31, 2**63 - 1, 100, 11]
        found = self.run(self.written(store_settings, adding(map(a_job, numbers)), adding([a_job(8)])))
        same(found, [a_job(number) for number in sorted([*numbers, 8])])

    def test_slices_are_lists_of_stored_jobs(self, store_settings: StoreSettings) -> None:
        async def main() -> None:
            async with self.opened(store_settings) as store:
                await store.write(adding(a_job(number, due=number / 2) for number in range(1, 100)))
            async with self.opened(store_settings) as store:
                slices = [jobs async for jobs in store.replay()]
            assert all(type(jobs) is list for jobs in slices)
            assert all(typed(job) for jobs in slices for job in jobs)

        self.run(main())

    def test_what_is_removed_is_gone(self, store_settings: StoreSettings) -> None:
        found = self.run(
            self.written(
                store_settings,
                adding(map(a_job, range(1, 11))),
                Batch([2, 3, 4, 9], [a_job(11)], {}),
                Batch([11, 1], [], {}),
            )
        )
        same(found, list(map(a_job, [5, 6, 7, 8, 10])))

    def test_to_remove_what_is_not_there_is_no_error(self, store_settings: StoreSettings) -> None:
        batch = Batch([1, 5, 2**63 - 1], [a_job(2)], {})
        same(self.run(self.written(store_settings, batch, Batch([1, 1], [], {}))), [a_job(2)])

    def test_a_number_that_is_there_is_replaced(self, store_settings: StoreSettings) -> None:
        other = a_job(1, function=b"other", unique=b"u", priority=0, due=5.5, attempts=3, payload=b"new", more=b"m")
        same(self.run(self.written(store_settings, adding([a_job(1), a_job(2)]), adding([other]))), [other, a_job(2)])

    def test_removes_come_before_adds(self, store_settings: StoreSettings) -> None:
        batch = Batch([1, 2], [a_job(1, payload=b"again")], {})
        same(
            self.run(self.written(store_settings, adding([a_job(1), a_job(2)]), batch)),
            [a_job(1, payload=b"again")],
        )

    def test_an_empty_batch_is_written(self, store_settings: StoreSettings) -> None:
        same(self.run(self.written(store_settings, Batch([], [], {}), adding([]))), [])

    def test_a_batch_may_be_repeated(self, store_settings: StoreSettings) -> None:
        batch = Batch([1, 2], [a_job(2), a_job(3), a_job(4)], {"ceiling": "4"})
        found = self.run(self.written(store_settings, adding([a_job(1)]), batch, batch, batch))
        same(found, [a_job(2), a_job(3), a_job(4)])
        assert self.run(self.metadata(store_settings)) == {"ceiling": "4"}

    # --- fields ---

    def test_names_and_payloads_are_any_bytes(self, store_settings: StoreSettings) -> None:
        every = bytes(range(256))
        odd = [b"", b"\0", b"a\0", b"\0a", every, every[::-1], b"-", b"my-func", b"'\"\\", b"%s", b"{}", b"\r\n", b"1"]
        odd += [b"caf\xc3\xa9", b"\xff\xfe", b"A", b"a", b" a ", b"NULL", b"\\x61"]
        jobs = [a_job(n, function=f, unique=u) for n, (f, u) in enumerate(itertools.product(odd, odd), 1)]
        jobs += [a_job(number, payload=value, more=value) for number, value in enumerate(odd, len(jobs) + 1)]
        same(self.run(self.written(store_settings, adding(jobs))), jobs)

    def test_jobs_of_one_name_and_unique_are_all_kept(self, store_settings: StoreSettings) -> None:
        jobs = [a_job(number, unique=b"same", payload=b"same") for number in range(1, 6)]
        same(self.run(self.written(store_settings, adding(jobs))), jobs)

    def test_long_names(self, store_settings: StoreSettings) -> None:
        jobs = [
            a_job(1, function=b"f" * 8191),
            a_job(2, function=b"\xff" * 8191, unique=b"\xfe" * 64),
            a_job(3, function=b"g" * 255, unique=b"u" * 63),
            a_job(4, function=b"g" * 256, unique=b"u" * 64),
        ]
        same(self.run(self.written(store_settings, adding(jobs))), jobs)

    def test_small_and_large_payloads(self, store_settings: StoreSettings) -> None:
        async def main() -> None:
            async with self.opened(store_settings) as store:
                sizes = [size for size in (0, 1, 64 << 10, 5 << 20) if size + 100 <= store.largest]
                pattern = bytes(range(256))
                jobs = [a_job(n, payload=(pattern * (size // 256 + 1))[:size]) for n, size in enumerate(sizes, 1)]
                await store.write(adding(jobs))
            same(await self.kept(store_settings), jobs)

        self.run(main())

    def test_a_due_time_keeps_its_fraction(self, store_settings: StoreSettings) -> None:
        due = [
            0.0,
            0.000001,
            1.5,
            1_900_000_000.123456,
            2.0**31 + 0.25,
            4_294_967_296.75,
            253_402_300_800.5,
            1e15,
            1e18,
        ]
        jobs = [a_job(number, due=when) for number, when in enumerate(due, 1)]
        same(self.run(self.written(store_settings, adding(jobs))), jobs)

    def test_priority_attempts_and_more(self, store_settings: StoreSettings) -> None:
        jobs = [
            a_job(number, priority=priority, attempts=attempts, more=more)
            for number, (priority, attempts, more) in enumerate(
                itertools.product((0, 1, 2), (0, 1, 255, 2**31 - 1), (b"", b"\x01reducer\0", b"m" * 3000)), 1
            )
        ]
        same(self.run(self.written(store_settings, adding(jobs))), jobs)

    # --- numbers of jobs ---

    def test_a_batch_may_be_large(self, store_settings: StoreSettings) -> None:
        jobs = [a_job(number) for number in range(1, MANY + 1)]
        odd = Batch([job.number for job in jobs[::2]], [], {})
        nothing = Batch(list(range(MANY * 2, MANY * 4)), [], {})
        same(self.run(self.written(store_settings, adding(jobs), odd, nothing)), jobs[1::2])

    def test_batches_of_every_size(self, store_settings: StoreSettings) -> None:
        sizes = [*range(1, 40), 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 1000, 1023, 1025]
        numbers = itertools.count(1)
        batches = [[a_job(next(numbers)) for _ in range(size)] for size in sizes]
        removes = [[job.number for job in batch if job.number % 3 == 0] for batch in batches]
        found = self.run(
            self.written(store_settings, *map(adding, batches), *(Batch(gone, [], {}) for gone in removes))
        )
        same(found, [job for batch in batches for job in batch if job.number % 3])

    def test_a_replay_may_be_left(self, store_settings: StoreSettings) -> None:
        async def main() -> None:
            await self.written(store_settings, adding(map(a_job, range(1, MANY + 1))))
            async with self.opened(store_settings) as store:
                slices = aiter(store.replay())
                assert await anext(slices)
                leave: Callable[[], Awaitable[None]] | None = getattr(slices, "aclose", None)
                if leave is not None:
                    await leave()
                await store.write(Batch(list(range(2, MANY + 1)), [], {}))
            same(await self.kept(store_settings), [a_job(1)])

        self.run(main())

    # --- what goes wrong ---

    def test_a_batch_is_written_as_a_whole_or_not_at_all(self, store_settings: StoreSettings) -> None:
        bad = [*map(a_job, range(10, 2000)), a_job(2000, payload=object()), *map(a_job, range(2001, 2100))]

        async def main() -> None:
            async with self.opened(store_settings) as store:
                await store.write(Batch([], [a_job(1), a_job(2)], {"ceiling": "2"}))
                with pytest.raises(Exception):  # noqa: B017 (the contract leaves open which)
                    await store.write(Batch([1], bad, {"ceiling": "2100"}))
            same(await self.kept(store_settings), [a_job(1), a_job(2)])

        self.run(main())
        assert self.run(self.metadata(store_settings)) == {"ceiling": "2"}

    def test_after_a_write_that_failed_the_next_one_works(self, store_settings: StoreSettings) -> None:
        async def main() -> None:
            async with self.opened(store_settings) as store:
                with pytest.raises(Exception):  # noqa: B017 (the contract leaves open which)
                    await store.write(adding([a_job(1), a_job(2, payload=object())]))
                await store.write(adding([a_job(3)]))
            same(await self.kept(store_settings), [a_job(3)])

        self.run(main())

    def test_after_a_cancelled_write_the_same_batch_is_written_again(self, store_settings: StoreSettings) -> None:
        """At several moments: before it began, while it is under way, and perhaps after it."""

        async def cancelled(store: Store, batch: Batch, turns: int) -> None:
            task = asyncio.ensure_future(store.write(batch))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            await store.write(batch)

        async def main() -> None:
            async with self.opened(store_settings) as store:
                for turns in range(12):
                    first = 1 + turns * 1000
                    added = [a_job(number) for number in range(first, first + 1000)]
                    await cancelled(store, Batch([], added, {"ceiling": str(first + 999)}), turns)
                    await cancelled(store, Batch(list(range(first + 1, first + 1000)), [], {}), turns)
            same(await self.kept(store_settings), [a_job(1 + turns * 1000) for turns in range(12)])

        self.run(main())
        assert self.run(self.metadata(store_settings)) == {"ceiling": "12000"}

    def test_a_store_that_has_lost_everything_says_so_once_and_begins_anew(self, store_settings: StoreSettings) -> None:
        """Also when nobody hears of it the first time."""

        async def lost(store: Store) -> int:
            for failed in itertools.count():
                try:
                    await store.write(Batch([], [a_job(1000 + failed)], {}))
                    pytest.fail(f"after {failed} failures it has written something, and did not say what it has lost")
                except StoreLostError:
                    return failed
                except StoreError:
                    assert failed < 20, "it is not ready again"
            raise AssertionError

        async def main() -> None:
            async with self.opened(store_settings) as store:
                for round_ in range(3):
                    await store.write(Batch([], list(map(a_job, range(1, 100))), {"ceiling": "99"}))
                    if not self.lose(store_settings):
                        pytest.skip("nobody can take away what is in there")
                    if round_:
                        task = asyncio.ensure_future(store.write(adding([a_job(500)])))
                        for _ in range(round_ * 5):
                            await asyncio.sleep(0)
                        task.cancel()
                        await asyncio.wait([task])
                        if not task.cancelled() and isinstance(task.exception(), StoreLostError):
                            continue
                    await lost(store)
                await store.write(Batch([], [a_job(1), a_job(2)], {"ceiling": "2"}))
                await store.write(Batch([1], [a_job(3)], {}))
            same(await self.kept(store_settings), [a_job(2), a_job(3)])

        self.run(main())
        assert self.run(self.metadata(store_settings)) == {"ceiling": "2"}

    # --- a look ---

    async def looked(self, settings: StoreSettings) -> tuple[dict[str, str], list[StoredJob]]:
        """Return the metadata and the jobs that somebody sees who only looks; skip the test if that is not possible."""
        store = type(self).make_store(settings)
        if not hasattr(store, "look"):
            pytest.skip("it cannot be read without being opened")
        try:
            metadata = await cast(Readable, store).look()
            found = [job async for jobs in store.replay() for job in jobs]
            assert [job async for jobs in cast(Readable, store).left() for job in jobs] == []
            return dict(metadata), found
        finally:
            await store.close()

    def test_a_look_into_a_place_without_a_store_makes_none(self, store_settings: StoreSettings) -> None:
        async def main() -> None:
            for _ in range(2):
                with contextlib.suppress(StoreError):  # or there is nothing that could be looked into
                    assert await self.looked(store_settings) == ({}, [])

        self.run(main())
        assert self.run(self.metadata(store_settings)) == {}

    def test_a_look_shows_everything_and_the_next_server_is_not_in_its_way(self, store_settings: StoreSettings) -> None:
        jobs = [a_job(number, payload=bytes(number * 100)) for number in range(1, 300)]

        async def main() -> None:
            await self.written(store_settings, Batch([], jobs, {"ceiling": "299"}))
            for _ in range(2):
                metadata, found = await self.looked(store_settings)
                assert metadata == {"ceiling": "299"}
                same(found, jobs)
            same(await self.kept(store_settings), jobs)

        self.run(main())

    def test_a_look_while_a_server_runs_sees_what_it_has_or_is_refused(self, store_settings: StoreSettings) -> None:
        async def main() -> None:
            async with self.opened(store_settings) as store:
                await store.write(Batch([], [a_job(1), a_job(2)], {"ceiling": "2"}))
                with contextlib.suppress(StoreError):
                    metadata, found = await self.looked(store_settings)
                    assert metadata == {"ceiling": "2"}
                    same(found, [a_job(1), a_job(2)])
                await store.write(Batch([1], [a_job(3)], {}))
            same(await self.kept(store_settings), [a_job(2), a_job(3)])

        self.run(main())

    # --- one server at a time ---

    def test_a_second_store_on_the_same_place_is_refused(self, store_settings: StoreSettings) -> None:
        async def main() -> None:
            async with self.opened(store_settings) as store:
                await store.write(adding([a_job(1)]))
                second = type(self).make_store(store_settings)
                with pytest.raises(StoreError) as refused:
                    await second.open()
                assert "\n" not in str(refused.value)
                await second.close()
                await store.write(adding([a_job(2)]))
            same(await self.kept(store_settings), [a_job(1), a_job(2)])

        self.run(main())

    def test_it_may_be_closed_twice_or_without_being_opened(self, store_settings: StoreSettings) -> None:
        async def main() -> None:
            await type(self).make_store(store_settings).close()
            store = type(self).make_store(store_settings)
            await store.open()
            await store.write(adding([a_job(1)]))
            await store.close()
            await store.close()
            same(await self.kept(store_settings), [a_job(1)])

        self.run(main())
