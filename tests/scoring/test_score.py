"""Scoring a stored run: every measured request gets its rows, and scoring again gives the same ones."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import msgspec
import pytest

from harness import scoring
from harness.catalog.target import Target
from harness.errors import StoreError, SuiteError
from harness.scoring.score import Grading, score_run
from harness.scoring.scorer import Outcome
from harness.store.manifest import new_manifest
from harness.store.query import connect
from harness.store.records import Attempt, Score, is_sampled
from harness.store.run_folder import RunFolder, create_run
from harness.suite.suite import Check, Load, Message, Prompt, Suite

StoredRun = Callable[..., tuple[RunFolder, Suite]]


class Odd(msgspec.Struct, frozen=True):
    """A plug-in scorer that misbehaves in the way that `how` names."""

    how: str

    async def score(self, prompt: Prompt, answer: str) -> Outcome:
        match self.how:
            case "raises":
                raise KeyError(answer)
            case "raises in a task":
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(Odd(how="raises").score(prompt, answer))
            case "hangs":
                await asyncio.Event().wait()
            case "surrogate":
                return Outcome(value=0.5, passed=True, reason="\ud800" * 1000, cost_usd=0.25)
        return Outcome(value=1.0, passed=True)


class Patient(msgspec.Struct, frozen=True):
    """Says which task it runs in."""

    async def score(self, prompt: Prompt, answer: str) -> Outcome:
        task = asyncio.current_task()
        assert task is not None
        return Outcome(value=1.0, passed=True, reason=task.get_name())


class Quick(Patient, frozen=True):
    """The same, and says that it never waits."""

    waits: ClassVar[bool] = False


class Interrupts(msgspec.Struct, frozen=True):
    """Cancels the scoring, as Ctrl-C does, and never waits."""

    waits: ClassVar[bool] = False

    async def score(self, prompt: Prompt, answer: str) -> Outcome:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return Outcome(value=1.0, passed=True)


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line in the table of scorers that a plug-in adds."""
    monkeypatch.setitem(scoring.SCORERS, "odd", f"{__name__}:Odd")


TARGET = Target(name="x", model="x", base_model="x", model_id="x", routing="x", api="converse", client="x", region="x")


@pytest.fixture
def stored_run(tmp_path: Path) -> StoredRun:
    """`stored_run([check, …], attempt(…), …)`: a finished run of one prompt, `p`, with these checks."""

    def store(checks: list[Check], *attempts: dict[str, Any]) -> tuple[RunFolder, Suite]:
        prompt = Prompt(id="p", messages=(Message(role="user", content="?"),), expect="Paris", checks=tuple(checks))
        suite = Suite(name="s", digest="d", endpoint="simulator", targets=(TARGET,), prompts=(prompt,))
        run = create_run(
            tmp_path, new_manifest(suite, endpoint="simulator", simulated=True, seed=1, planned=None), suite
        )
        rows = [make_attempt(**{"run_id": run.path.name, **each}) for each in attempts]
        run.journal_path().write_bytes(msgspec.json.Encoder().encode_lines(rows))
        run.finalise("complete")
        return run, suite

    return store


def make_attempt(request: str, text: str | None = None, **changed: Any) -> Attempt:
    values: dict[str, Any] = {
        "request_id": request,
        "attempt_id": f"{request}-{changed.get('try_no', 1)}",
        "try_no": 1,
        **dict.fromkeys(("target", "base_model", "model_id", "routing", "api", "client", "region"), "x"),
        "stream": True,
        "prompt_id": "p",
        "repeat": 0,
        "phase": "measure",
        "due_ns": 0,
        "ok": text is not None,
        "text": text,
    }
    return Attempt(**{**values, **changed})


def read(run: RunFolder) -> list[Score]:
    with closing(connect([run])) as connection:
        found = connection.execute("SELECT * EXCLUDE (run_id) FROM scores ORDER BY request_id, scorer")
        names = [column[0] for column in found.description or ()]
        return [Score(**dict(zip(names, row, strict=True))) for row in found.fetchall()]


EXACT = Check(type="exact")
LONG = Check(type="regex", params={"pattern": ".{6}"})


async def test_every_check_of_an_answer_gives_a_row(stored_run: StoredRun) -> None:
    run, suite = stored_run([EXACT, LONG], {"request": "0-0", "text": "Paris."}, {"request": "0-1", "text": "Lyon"})
    assert await score_run(run, suite) == 4
    assert [(each.request_id, each.scorer, each.value, each.passed) for each in read(run)] == [
        ("0-0", "exact", 1.0, True),
        ("0-0", "regex", 1.0, True),
        ("0-1", "exact", 0.0, False),
        ("0-1", "regex", 0.0, False),
    ]
    assert read(run)[2].reason == "expected 'Paris', got 'Lyon'"


@pytest.mark.parametrize("scorer", [Quick, Patient])
async def test_the_grading_counts_every_answer_whether_or_not_its_scorer_waits(
    stored_run: StoredRun, monkeypatch: pytest.MonkeyPatch, scorer: type[Patient]
) -> None:
    monkeypatch.setitem(scoring.SCORERS, "tasks", f"{__name__}:{scorer.__name__}")
    answers = [{"request": f"0-{at}", "text": "Paris"} for at in range(70)]
    run, suite = stored_run([Check(type="tasks")], *answers, {"request": "1-0", "error_kind": "throttled"})
    grading = Grading()
    await score_run(run, suite, grading=grading)
    assert Grading(done=71, answers=71) == grading


async def test_a_failed_request_is_a_failed_answer(stored_run: StoredRun) -> None:
    run, suite = stored_run([EXACT, LONG], {"request": "0-0", "error_kind": "throttled"})
    await score_run(run, suite)
    assert read(run) == [
        Score(request_id="0-0", scorer=name, value=0.0, passed=False, reason="request failed: throttled")
        for name in ("exact", "regex")
    ]


async def test_the_last_attempt_counts(stored_run: StoredRun) -> None:
    failed = {"request": "0-0", "error_kind": "throttled"}
    run, suite = stored_run([EXACT], failed, {"request": "0-0", "text": "Paris", "try_no": 2})
    await score_run(run, suite)
    assert [each.passed for each in read(run)] == [True]


async def test_warm_up_and_cancelled_requests_are_not_scored(stored_run: StoredRun) -> None:
    run, suite = stored_run(
        [EXACT],
        {"request": "0-0", "text": "Paris", "phase": "warmup"},
        {"request": "1-0", "error_kind": "cancelled"},
    )
    assert await score_run(run, suite) == 0
    assert read(run) == []


async def test_prompts_without_checks_have_no_rows(stored_run: StoredRun) -> None:
    run, suite = stored_run([], {"request": "0-0", "text": "Paris"})
    assert await score_run(run, suite) == 0


async def test_an_answer_whose_text_was_not_stored_has_no_score(stored_run: StoredRun) -> None:
    run, suite = stored_run([EXACT], {"request": "a", "ok": True}, {"request": "b", "text": "Paris"})
    assert 1 == await score_run(run, suite)


async def test_an_empty_answer_is_scored(stored_run: StoredRun) -> None:
    run, suite = stored_run([EXACT], {"request": "0-0", "ok": True, "text": ""})
    await score_run(run, suite)
    assert [each.reason for each in read(run)] == ["expected 'Paris', got ''"]


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("how", ["raises", "raises in a task"])
async def test_a_scorer_that_raises_leaves_the_answer_unscored(stored_run: StoredRun, how: str) -> None:
    run, suite = stored_run([Check(type="odd", params={"how": how})], {"request": "0-0", "text": "Paris"})
    await score_run(run, suite)
    [row] = read(run)
    assert (row.value, row.passed, row.reason) == (None, None, "scorer failed: KeyError: 'Paris'")


@pytest.mark.usefixtures("odd")
async def test_a_scorer_that_hangs_leaves_the_answer_unscored(
    stored_run: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.scoring.score.TIMEOUT_S", 0.01)  # it is a minute
    run, suite = stored_run([Check(type="odd", params={"how": "hangs"})], {"request": "0-0", "text": "Paris"})
    await score_run(run, suite)
    [row] = read(run)
    assert (row.passed, row.reason) == (None, "scorer failed: TimeoutError: took more than 0.01 s")


async def test_only_scorers_that_may_wait_get_a_task_for_each_answer(
    stored_run: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [{"request": f"{n}-0", "text": "Paris", "due_ns": n} for n in range(3)]
    for kind, others in ((Quick, 0), (Patient, 3)):
        monkeypatch.setitem(scoring.SCORERS, "tasks", f"{__name__}:{kind.__name__}")
        run, suite = stored_run([Check(type="tasks")], *answers)
        await score_run(run, suite)
        task = asyncio.current_task()
        assert task is not None
        assert others == len({row.reason for row in read(run)} - {task.get_name()})


@pytest.mark.parametrize("name", scoring.SCORERS)
def test_a_scorer_waits_if_it_awaits_something(name: str) -> None:
    kind = scoring.load_scorer(name)
    module = importlib.import_module(kind.__module__)
    assert ("await " in inspect.getsource(module)) == (name != "pairwise" and getattr(kind, "waits", True))


async def test_grading_can_be_cancelled_though_no_scorer_waits(
    stored_run: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scoring.SCORERS, "interrupts", f"{__name__}:Interrupts")
    run, suite = stored_run([Check(type="interrupts")], {"request": "0-0", "text": "Paris"})
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(score_run(run, suite))
    assert not run.scores_path.exists()


@pytest.mark.usefixtures("odd")
async def test_a_reason_is_shortened_and_made_encodable(stored_run: StoredRun) -> None:
    run, suite = stored_run([Check(type="odd", params={"how": "surrogate"})], {"request": "0-0", "text": "Paris"})
    await score_run(run, suite)
    assert read(run) == [Score(request_id="0-0", scorer="odd", value=0.5, passed=True, reason="?" * 300, cost_usd=0.25)]


async def test_scoring_again_gives_the_same_scores(stored_run: StoredRun) -> None:
    answers = [{"request": f"{n}-0", "text": "Paris" if n % 3 else "\0 \x1b[31m{", "due_ns": n} for n in range(200)]
    run, suite = stored_run([EXACT, Check(type="json_schema", params={"schema": {}})], *answers)
    assert await score_run(run, suite) == 400
    first = read(run)
    assert await score_run(run, suite) == 400
    assert read(run) == first
    assert {path.name for path in run.path.iterdir()} == {
        "manifest.json", "suite.json", "suite.yaml", "attempts.parquet", "scores.parquet"
    }  # fmt: skip


async def test_a_suite_of_another_run_is_reported(stored_run: StoredRun) -> None:
    run, suite = stored_run([EXACT], {"request": "0-0", "text": "Paris", "prompt_id": "q"})
    with pytest.raises(StoreError, match="prompt 'q', which is not in the run's suite"):
        await score_run(run, suite)


async def test_an_unknown_check_is_reported_before_anything_is_scored(stored_run: StoredRun) -> None:
    run, suite = stored_run([Check(type="exakt")], {"request": "0-0", "text": "Paris"})
    with pytest.raises(SuiteError, match="did you mean 'exact'"):
        await score_run(run, suite)
    assert not run.scores_path.exists()


def test_the_same_share_of_failures_is_graded_as_of_answers(
    make_suite: Callable[..., Suite],
    write_run: Callable[..., RunFolder],
    read_scores: Callable[[RunFolder], list[Score]],
) -> None:
    suite = make_suite([Check(type="exact")], load=Load(store_text=0.25))
    run = write_run(suite, *(("cand", None if at % 10 == 0 else "Paris") for at in range(400)))
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE stored AS SELECT * FROM '{run.attempts_path}'")
        ids = [
            id_ for (id_,) in connection.sql("SELECT request_id FROM stored").fetchall() if not is_sampled(id_, 0.25)
        ]
        connection.execute("UPDATE stored SET text = NULL WHERE list_contains($ids, request_id)", {"ids": ids})
        connection.execute(f"COPY stored TO '{run.attempts_path}' (FORMAT parquet)")
    asyncio.run(score_run(run, suite))
    rows = read_scores(run)
    assert 400 - len(ids) == len(rows)
    assert 0.05 <= sum(not row.passed for row in rows) / len(rows) <= 0.15
