from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.analysis.reconcile.logged import Logged, spool
from harness.analysis.reconcile.reconcile import reconcile, time_span_ns
from harness.analysis.reconcile.reconciliation import LogRead, Reconciliation
from harness.catalog.prices import Price, PriceOverride
from harness.catalog.target import resolve_target
from harness.clock import utc_from_ns
from harness.endpoints.invocation_log.records import LogRecord
from harness.store.manifest import TargetPrice, new_manifest
from harness.store.records import Attempt
from harness.store.run_folder import RunFolder, create_run
from harness.suite.suite import Message, Prompt, Suite

ME = "arn:aws:iam::123456789012:user/me"
TARGET = resolve_target(model="claude-haiku-4-5", routing="global", api="converse", client="aioboto3")
PRICE = PriceOverride(model="claude-haiku-4-5", input=1.0, output=5.0)
SUITE = Suite(
    name="tiny",
    digest="0123456789ab",
    endpoint="aws",
    targets=(TARGET,),
    prompts=(Prompt(id="p", messages=(Message(role="user", content="?"),)),),
    prices=(PRICE,),
)


def attempt(number: int, **changed: Any) -> Attempt:
    """An answered attempt: 1,000 input and 100 output tokens, $0.0015."""
    values: dict[str, Any] = {
        "run_id": "r",
        "request_id": f"{number}",
        "attempt_id": f"{number}-1",
        "try_no": 1,
        "target": TARGET.name,
        "base_model": TARGET.base_model,
        "model_id": TARGET.model_id,
        "routing": "global",
        "api": "converse",
        "client": "aioboto3",
        "region": "us-east-1",
        "stream": True,
        "prompt_id": "p",
        "repeat": 0,
        "phase": "measure",
        "due_ns": number,
        "sent_ns": number,
        "done_ns": number + 1_000_000_000,
        "ok": True,
        "input_tokens": 1000,
        "output_tokens": 100,
        "aws_request_id": f"aws-{number}",
        "cost_usd": 0.0015,
    }
    return Attempt(**{**values, **changed})


def failed(number: int, kind: str, **changed: Any) -> Attempt:
    nothing = {"input_tokens": None, "output_tokens": None, "cost_usd": None}
    return attempt(number, ok=False, error_kind=kind, **{**nothing, **changed})


def record(number: int, **changed: Any) -> Logged:
    """A logged call like `attempt(number)`; `at_us` counts from the run's origin until `match` knows it."""
    values: dict[str, Any] = {
        "aws_request_id": f"aws-{number}",
        "at_us": 0,
        "model_id": TARGET.model_id,
        "region": "us-east-1",
        "served_in": "us-west-2",
        "identity": ME,
        "input_tokens": 1000,
        "output_tokens": 100,
        "cache_read_tokens": 0,
        "cache_write_tokens": None,
        "error_code": None,
    }
    return Logged(**{**values, **changed})


Match = Callable[..., Reconciliation]


@pytest.fixture
def match(tmp_path: Path) -> Match:
    """`match(attempts, records, later=…)`: a run that is over, matched with its log that long after it began."""

    def run(
        attempts: list[Attempt],
        records: list[Logged],
        *,
        later: timedelta = timedelta(days=1),
        prices: tuple[TargetPrice, ...] | None = None,
    ) -> Reconciliation:
        folder = make_run(tmp_path, attempts)
        if prices is not None:
            folder.write_manifest(msgspec.structs.replace(folder.read_manifest(), prices=prices))
        spooled = tmp_path / "log.jsonl"
        origin_ns = folder.read_manifest().origin_utc_ns
        placed = [msgspec.structs.replace(each, at_us=origin_ns // 1000 + each.at_us) for each in records]
        spooled.write_bytes(msgspec.json.Encoder().encode_lines(placed))
        began = utc_from_ns(origin_ns)
        read = LogRead(sources=("s3://logs",), since=began, until=began + later)
        return reconcile(folder, spooled, read, suite=SUITE, now=began + later)

    return run


def make_run(results: Path, attempts: list[Attempt]) -> RunFolder:
    manifest = new_manifest(SUITE, endpoint="aws", simulated=False, seed=1, planned=len(attempts))
    folder = create_run(results, manifest, SUITE)
    own = [msgspec.structs.replace(attempt, run_id=manifest.run_id) for attempt in attempts]
    folder.journal_path().write_bytes(msgspec.json.Encoder().encode_lines(own))
    folder.finalise("complete")
    return folder


def test_a_log_is_priced_as_on_the_day_of_the_run(match: Match) -> None:
    """On that day the answer cost twice what it costs now; a run of an earlier version knows today's price alone."""
    then = Price(input=2.0, output=10.0, source="here", as_of=None)
    dear = [attempt(1, cost_usd=0.003)]
    found = match(dear, [record(1)], prices=(TargetPrice(target=TARGET.name, price=then),))
    assert (True, 0.003, 0) == (found.agrees, found.targets[0].logged_cost_usd, found.targets[0].differing)


def test_without_a_price_on_record_a_log_is_priced_as_of_today(match: Match) -> None:
    found = match([attempt(1, cost_usd=0.003)], [record(1)], prices=())
    assert (0.0015, 1) == (found.targets[0].logged_cost_usd, found.targets[0].differing)


def test_a_run_whose_every_call_is_logged_alike_agrees(match: Match) -> None:
    found = match([attempt(1), attempt(2)], [record(1), record(1), record(2, served_in="us-east-1")])
    (target,) = found.targets
    assert (True, 2, 2, 2, 0) == (found.agrees, found.records, target.attempts, target.logged, target.differing)
    assert (0.003, 0.003) == (target.cost_usd, target.logged_cost_usd)
    assert {"us-west-2": 1, "us-east-1": 1} == target.served_in


def test_attempts_that_need_not_be_logged_do_not_disagree_and_say_why(match: Match) -> None:
    attempts = [
        attempt(0),
        failed(1, "connection", sent_ns=None, aws_request_id=None),
        failed(2, "total_timeout", aws_request_id=None),
        failed(3, "throttled"),
        failed(4, "validation"),
        attempt(5, api="mantle"),
    ]
    found = match(attempts, [record(0)])
    expected = {"not_sent": 1, "no_request_id": 1, "throttled": 1, "failed": 1, "other_endpoint": 1}
    assert (True, expected) == (found.agrees, found.targets[0].unlogged)


@pytest.mark.parametrize(
    ("records", "later", "reason"),
    [
        ([record(1)], timedelta(days=1), "missing"),
        ([record(1)], timedelta(minutes=5), "log_delay"),
        ([], timedelta(days=1), "logging_off"),
    ],
)
def test_an_answered_call_that_is_not_logged_disagrees(
    match: Match, records: list[Logged], later: timedelta, reason: str
) -> None:
    found = match([attempt(1), attempt(2)], records, later=later)
    assert not found.agrees
    assert reason == found.unlogged[-1].reason


def test_tokens_cost_and_outcome_are_compared(match: Match) -> None:
    attempts = [attempt(number) for number in range(1, 5)]
    records = [
        record(1, output_tokens=200),
        record(2, cache_read_tokens=7),
        record(3, error_code="ModelTimeoutException"),
        record(4, input_tokens=None),
    ]
    found = match(attempts, records)
    expected = {
        ("aws-1", "output_tokens", 100, 200),
        ("aws-1", "cost_usd", 0.0015, 0.002),
        ("aws-2", "cache_read_tokens", None, 7),
        ("aws-2", "cost_usd", 0.0015, 0.001507),
        ("aws-3", "error_code", None, "ModelTimeoutException"),
    }
    assert expected == {(d.aws_request_id, d.what, d.run, _rounded(d.log)) for d in found.differences}
    assert (False, 3) == (found.agrees, found.targets[0].differing)


def _rounded(value: float | str | None) -> float | str | None:
    return round(value, 9) if isinstance(value, float) else value


def test_a_call_that_the_run_gave_up_on_was_billed_all_the_same(match: Match) -> None:
    found = match([failed(1, "total_timeout")], [record(1)])
    assert (True, 0.0015) == (found.agrees, round(found.targets[0].unseen_cost_usd, 9))


def test_a_record_of_the_runs_caller_that_is_not_in_the_run_disagrees(match: Match) -> None:
    found = match([attempt(1)], [record(1), record(9)])
    assert (False, 1, ["aws-9"]) == (found.agrees, found.not_in_run, [each.aws_request_id for each in found.foreign])


def test_an_attempt_without_a_reply_accounts_for_a_record_of_its_model(match: Match) -> None:
    found = match([attempt(1), failed(2, "total_timeout", aws_request_id=None)], [record(1), record(9)])
    assert (True, 1, 0) == (found.agrees, found.unanswered, found.not_in_run)


def test_other_callers_and_other_models_are_other_traffic(match: Match) -> None:
    found = match(
        [attempt(1)], [record(1), record(8, identity="arn:other"), record(9, model_id="amazon.nova-lite-v1:0")]
    )
    assert (True, 1, 0) == (found.agrees, found.other_traffic, found.not_in_run)


def test_the_time_of_a_run_goes_from_its_first_due_to_its_last_end(tmp_path: Path) -> None:
    assert (1, 1_000_000_005) == time_span_ns(make_run(tmp_path, [attempt(5), attempt(1)]))


async def test_records_are_spooled_with_the_region_that_served_and_a_bare_model_id(tmp_path: Path) -> None:
    made = LogRecord(
        timestamp=datetime(2026, 11, 1, tzinfo=UTC),
        request_id="x",
        operation="Converse",
        model_id="arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0",
        region="us-east-1",
    )

    async def records() -> Any:
        for served in (None, "us-west-2"):
            yield msgspec.structs.replace(made, inference_region=served)

    with (tmp_path / "log").open("wb") as file:
        assert 2 == await spool(records(), file)
    found = [msgspec.json.decode(line, type=Logged) for line in (tmp_path / "log").read_bytes().splitlines()]
    assert ["us-east-1", "us-west-2"] == [each.served_in for each in found]
    assert {"us.anthropic.claude-haiku-4-5-20251001-v1:0"} == {each.model_id for each in found}


@pytest.mark.parametrize("at_us", [-30_000_000, 30_000_000])
def test_what_the_same_caller_did_before_or_after_the_run_is_no_matter(match: Match, at_us: int) -> None:
    assert match([attempt(1)], [record(1), record(9, at_us=at_us)]).agrees
    assert not match([attempt(1)], [record(1), record(9)]).agrees
