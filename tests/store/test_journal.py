"""The journal: nothing that was flushed is lost, whatever ends the process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import StoreError
from harness.store.journal import Journal, cut_torn_line, is_locked, measure_journal
from harness.store.records import Attempt

Make = Callable[..., Attempt]


def read_journal(path: Path) -> list[Attempt]:
    """The whole lines of a journal."""
    lines = path.read_bytes().splitlines(keepends=True)
    return [msgspec.json.decode(line, type=Attempt) for line in lines if line.endswith(b"\n")]


async def test_what_was_recorded_is_read_back_in_order(tmp_path: Path, make_attempt: Make) -> None:
    attempts = [make_attempt(n, text="Ü\n\0\u2028", chunk_us=[1, 2], cost_usd=0.5) for n in range(50)]
    async with Journal(tmp_path / "j.jsonl") as journal:
        for attempt in attempts:
            journal.record(attempt)
    assert read_journal(tmp_path / "j.jsonl") == attempts


async def test_attempts_reach_the_file_while_the_journal_is_open(tmp_path: Path, make_attempt: Make) -> None:
    path = tmp_path / "j.jsonl"
    async with Journal(path) as journal, asyncio.timeout(10):
        journal.record(make_attempt(1))
        while not path.stat().st_size:  # noqa: ASYNC110 - the file is what is looked at
            await asyncio.sleep(0.01)
        assert read_journal(path) == [make_attempt(1)]


async def test_a_large_backlog_is_flushed_whole(tmp_path: Path, make_attempt: Make) -> None:
    async with Journal(tmp_path / "j.jsonl") as journal:
        for number in range(100):
            journal.record(make_attempt(number, text="x" * 10_000))
    assert measure_journal(tmp_path / "j.jsonl").lines == 100


async def test_an_error_in_the_body_comes_out_as_it_was_and_loses_nothing(tmp_path: Path, make_attempt: Make) -> None:
    async def body() -> None:
        async with Journal(tmp_path / "j.jsonl") as journal:
            journal.record(make_attempt(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await body()
    assert read_journal(tmp_path / "j.jsonl") == [make_attempt(1)]


async def test_cancellation_passes_and_loses_nothing(tmp_path: Path, make_attempt: Make) -> None:
    started = asyncio.Event()

    async def body() -> None:
        async with Journal(tmp_path / "j.jsonl") as journal:
            journal.record(make_attempt(1))
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert read_journal(tmp_path / "j.jsonl") == [make_attempt(1)]


async def test_an_attempt_that_cannot_be_written_leaves_the_others_whole(tmp_path: Path, make_attempt: Make) -> None:
    async with Journal(tmp_path / "j.jsonl") as journal:
        journal.record(make_attempt(1))
        with pytest.raises(TypeError):
            journal.record(make_attempt(2, text="long enough to be half written", cost_usd=object()))
        journal.record(make_attempt(3))
    assert read_journal(tmp_path / "j.jsonl") == [make_attempt(1), make_attempt(3)]


async def test_half_a_surrogate_pair_becomes_a_replacement_character(tmp_path: Path, make_attempt: Make) -> None:
    async with Journal(tmp_path / "j.jsonl") as journal:
        journal.record(make_attempt(1, text="a\ud83d|\ud83d\ude00|\ude00"))
    assert [each.text for each in read_journal(tmp_path / "j.jsonl")] == ["a\ufffd|\U0001f600|\ufffd"]


async def test_a_torn_last_line_is_left_out_and_its_size_reported(tmp_path: Path, make_attempt: Make) -> None:
    path = tmp_path / "j.jsonl"
    whole = msgspec.json.encode(make_attempt(1)) + b"\n"
    path.write_bytes(whole + whole[:20])
    assert read_journal(path) == [make_attempt(1)]
    assert measure_journal(path).torn_bytes == 20
    assert cut_torn_line(path) == 20
    assert path.read_bytes() == whole


async def test_a_continued_journal_starts_after_the_torn_line(tmp_path: Path, make_attempt: Make) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(msgspec.json.encode(make_attempt(1)) + b'\n{"run_id":')
    async with Journal(path) as journal:
        journal.record(make_attempt(2))
    assert read_journal(path) == [make_attempt(1), make_attempt(2)]


async def test_a_second_writer_is_turned_away(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    async with Journal(path):
        assert is_locked(path)
        with pytest.raises(StoreError, match="another process is writing"):
            await Journal(path).__aenter__()
    assert not is_locked(path)


async def test_a_folder_that_is_missing_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened: No such file"):
        await Journal(tmp_path / "missing" / "j.jsonl").__aenter__()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
async def test_a_full_disk_cancels_the_body_and_says_so(make_attempt: Make) -> None:
    async def body() -> None:
        async with Journal(Path("/dev/full")) as journal:
            journal.record(make_attempt(1))
            await asyncio.Event().wait()

    with pytest.raises(StoreError, match="No space left on device"):
        await body()


CHILD = """
import asyncio, sys
from pathlib import Path
import msgspec
from harness.store.records import Attempt
from harness.store.journal import Journal

async def main(path, template):
    attempt = msgspec.json.decode(template, type=Attempt)
    wanted = 0
    async with Journal(path) as journal:
        while True:
            for number in range(wanted, wanted + 100):
                journal.record(msgspec.structs.replace(attempt, attempt_id=str(number), due_ns=number))
            size, wanted = path.stat().st_size, wanted + 100
            while path.stat().st_size == size:
                await asyncio.sleep(0.001)
            print(wanted, flush=True)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


def test_kill_9_loses_nothing_that_was_flushed(tmp_path: Path, make_attempt: Make) -> None:
    path = tmp_path / "j.jsonl"
    template = msgspec.json.encode(make_attempt(0, text="ü" * 500)).decode()
    with subprocess.Popen([sys.executable, "-c", CHILD, str(path), template], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        flushed = [int(child.stdout.readline()) for _ in range(3)][-1]
        os.kill(child.pid, signal.SIGKILL)
    numbers = [attempt.due_ns for attempt in read_journal(path)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= flushed == 300
    assert not is_locked(path)


@given(text=st.text(st.characters(exclude_categories=())))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_can_be_recorded_and_only_lone_surrogates_change(make_attempt: Make, text: str) -> None:
    journal = Journal(Path("never-opened"))
    journal.record(make_attempt(text=text))
    read = msgspec.json.decode(bytes(journal._buffer), type=Attempt).text
    assert read == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
