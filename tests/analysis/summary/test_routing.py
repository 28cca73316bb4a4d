"""Pairs of targets that differ in routing alone."""

from __future__ import annotations

import msgspec
import pytest

from harness.analysis.summary.routing import pair_routings
from harness.analysis.summary.summarise import summarise_target
from harness.analysis.summary.summary import TargetSummary
from harness.catalog.target import Target, resolve_target


def resolve(routing: str, model: str = "claude-sonnet-4-6", **changes: object) -> Target:
    target = resolve_target(model=model, routing=routing, api="converse", client="aioboto3")
    return msgspec.structs.replace(target, name=f"{model}/{routing}", **changes)


@pytest.fixture
def measure(make_columns, count_attempts, make_suite):  # type: ignore[no-untyped-def]
    """Summaries of targets, one second slower a request for each target further down the list."""

    def build(*targets: Target) -> dict[str, TargetSummary]:
        summaries = {}
        for at, target in enumerate(targets):
            plain = make_columns(100, target.name)
            later = {name: getattr(plain, name) + at for name in ("first_s", "last_s", "done_s")}
            columns = make_columns(100, target.name, **later)
            summaries[target.name] = summarise_target(target, make_suite(), columns, count_attempts(columns))
        return summaries

    return build


def test_a_regional_target_stands_beside_the_global_one_that_is_otherwise_its_equal(measure) -> None:  # type: ignore[no-untyped-def]
    worldwide, us, eu = resolve("global"), resolve("us"), resolve("eu")
    pairs = pair_routings([worldwide, us, eu], measure(worldwide, us, eu))
    assert [("claude-sonnet-4-6/global", "us"), ("claude-sonnet-4-6/global", "eu")] == [
        (pair.worldwide, pair.routing) for pair in pairs
    ]


def test_the_premium_is_that_of_the_list_price(measure) -> None:  # type: ignore[no-untyped-def]
    for model, premium in (("claude-sonnet-4-6", 0.1), ("claude-sonnet-4", 0.0)):
        worldwide, us = resolve("global", model), resolve("us", model)
        (pair,) = pair_routings([worldwide, us], measure(worldwide, us))
        assert premium == pair.price_premium


def test_latencies_are_apart_where_their_intervals_do_not_touch(measure) -> None:  # type: ignore[no-untyped-def]
    worldwide, us = resolve("global"), resolve("us")
    (pair,) = pair_routings([worldwide, us], measure(worldwide, us))
    assert (True, False) == (pair.ttft_p50_apart, pair.success_rate_apart)


@pytest.mark.parametrize("change", [{"client": "anthropic"}, {"api": "invoke"}, {"stream": False}])
def test_targets_that_differ_in_more_than_routing_are_not_compared(measure, change: dict[str, object]) -> None:  # type: ignore[no-untyped-def]
    worldwide, us = resolve("global"), resolve("us", **change)
    assert [] == pair_routings([worldwide, us], measure(worldwide, us))
