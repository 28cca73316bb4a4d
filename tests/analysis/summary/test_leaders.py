"""Who leads, when the order may be read as a difference, and pairs of targets that differ in routing alone."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from harness.analysis.columns import AttemptCounts, Columns
from harness.analysis.summary.leaders import find_winners, pair_routings
from harness.analysis.summary.summarise import summarise_target
from harness.analysis.summary.summary import TargetSummary, Winner
from harness.catalog.prices import Price, price_for, terms_of
from harness.catalog.target import Options, Target, resolve_target
from harness.suite.suite import Suite

MakeColumns = Callable[..., Columns]


@pytest.fixture
def crown(
    make_suite: Callable[..., Suite], count_attempts: Callable[[Columns], AttemptCounts]
) -> Callable[..., dict[str, Winner]]:
    """The winners between columns, by metric."""

    def build(*columns: Columns) -> dict[str, Winner]:
        suite = make_suite(targets=[c.target for c in columns], prompts=50)
        summaries = [
            summarise_target(target, suite, c, count_attempts(c))
            for target, c in zip(suite.targets, columns, strict=True)
        ]
        return {winner.metric: winner for winner in find_winners(summaries, {c.target: c for c in columns})}

    return build


def test_lower_latency_and_cost_win_and_higher_quality_and_speed_do(
    make_columns: MakeColumns, crown: Callable[..., dict[str, Winner]]
) -> None:
    slow = np.arange(200) + 0.9
    prompts = np.array([f"p{i % 50}" for i in range(200)], dtype=object)
    better = make_columns(200, "better", prompt_id=prompts, group_id=prompts)
    worse = make_columns(
        200,
        "worse",
        prompt_id=prompts,
        group_id=prompts,
        first_s=slow,
        last_s=slow + 2,
        done_s=slow + 2.1,
        cost_usd=np.full(200, 0.02),
        passed=(np.arange(200) // 10 % 2).astype(np.float64),
    )
    won = crown(worse, better)
    assert [
        "pass rate",
        "TTFT p50",
        "TTFT p95",
        "E2E p95",
        "output tokens/s per stream",
        "cost per request",
        "cost per correct answer",
    ] == list(won)
    assert {("better", True)} == {(winner.target, winner.clear) for winner in won.values()}
    assert [pytest.approx(value) for value in (1.0, 0.5, 0.5, 1.6, 10.0, 0.01, 0.01)] == [
        winner.value for winner in won.values()
    ]
    assert ["share", "s", "s", "s", "tokens/s", "usd", "usd"] == [winner.unit for winner in won.values()]


def test_a_lead_inside_overlapping_intervals_is_not_clear(
    make_columns: MakeColumns, crown: Callable[..., dict[str, Winner]]
) -> None:
    ahead = make_columns(40, "ahead")
    behind = make_columns(40, "behind", passed=(np.arange(40) > 1).astype(np.float64))
    assert ("ahead", False) == (crown(behind, ahead)["pass rate"].target, crown(behind, ahead)["pass rate"].clear)


def test_a_rival_that_is_close_does_not_hide_that_the_lead_over_others_is_clear(
    make_columns: MakeColumns, crown: Callable[..., dict[str, Winner]]
) -> None:
    slow = np.arange(200) + 5.0
    columns = [
        make_columns(200, "slow", first_s=slow),
        make_columns(200, "sibling", first_s=np.arange(200) + 0.5 + np.arange(200) % 3 / 100),
        make_columns(200, "first", first_s=np.arange(200) + 0.5 + np.arange(200) % 2 / 100),
    ]
    won = crown(*columns)["TTFT p50"]
    assert ("first", ["sibling"], [], 2, False) == (won.target, won.close, won.tied_with, won.rivals, won.clear)


def test_a_target_that_often_fails_leads_on_neither_latency_nor_cost(
    make_columns: MakeColumns, crown: Callable[..., dict[str, Winner]]
) -> None:
    failing = make_columns(100, "failing", ok=np.arange(100) >= 6, done_s=np.arange(100) + 0.7, passed=np.ones(100))
    slow, dear = make_columns(100, "slow", first_s=np.arange(100) + 0.9), make_columns(100, "dear")
    won = crown(failing, slow, dear)
    assert ("failing", 2) == (won["pass rate"].target, won["pass rate"].rivals)
    assert {1} == {winner.rivals for metric, winner in won.items() if metric != "pass rate"}
    assert ["pass rate"] == list(crown(failing, slow))


def test_a_dead_endpoint_names_no_leader(make_columns: MakeColumns, crown: Callable[..., dict[str, Winner]]) -> None:
    gone, nobody = np.full(40, np.nan), np.zeros(40, np.bool_)
    dead = [
        make_columns(40, name, ok=nobody, first_s=gone, last_s=gone, cost_usd=gone, passed=np.zeros(40))
        for name in ("a", "b")
    ]
    assert {} == crown(*dead)


def test_an_answer_of_unknown_cost_is_not_free(
    make_columns: MakeColumns, crown: Callable[..., dict[str, Winner]]
) -> None:
    partly = make_columns(40, "partly", cost_usd=np.where(np.arange(40) < 30, np.nan, 0.01))
    cheap = np.where(np.arange(40) < 30, np.nan, 0.001)
    won = crown(partly, make_columns(40, "cheap", cost_usd=cheap), make_columns(40, "b"), make_columns(40, "c"))
    assert ("b", 1) == (won["cost per request"].target, won["cost per request"].rivals)
    assert ("b", 1) == (won["cost per correct answer"].target, won["cost per correct answer"].rivals)


def test_a_tail_without_an_upper_bound_is_never_clear(
    make_columns: MakeColumns, crown: Callable[..., dict[str, Winner]]
) -> None:
    fast, slow = make_columns(40, "fast"), make_columns(40, "slow", first_s=np.arange(40) + 5.0)
    won = crown(fast, slow)
    assert (True, False) == (won["TTFT p50"].clear, won["TTFT p95"].clear)


def test_equal_values_are_a_tie_and_the_suites_first_target_is_named(
    make_columns: MakeColumns, crown: Callable[..., dict[str, Winner]]
) -> None:
    won = crown(make_columns(40, "first"), make_columns(40, "second"), make_columns(40, "third", passed=np.zeros(40)))
    assert ("first", ["second"], False) == (
        won["pass rate"].target,
        won["pass rate"].tied_with,
        won["pass rate"].clear,
    )


def test_a_target_that_lacks_a_metric_does_not_compete_for_it(
    make_columns: MakeColumns, crown: Callable[..., dict[str, Winner]]
) -> None:
    unpriced = make_columns(40, "unpriced", cost_usd=np.full(40, np.nan))
    won = crown(unpriced, make_columns(40, "priced"))
    assert "cost per request" not in won
    assert "cost per correct answer" not in won
    assert "TTFT p50" in won


def test_one_target_wins_nothing(make_columns: MakeColumns, crown: Callable[..., dict[str, Winner]]) -> None:
    assert {} == crown(make_columns(40, "alone"))


def test_a_lead_on_cost_is_paired_by_prompt_and_repeats_do_not_add_to_it(
    make_columns: MakeColumns, crown: Callable[..., dict[str, Winner]]
) -> None:
    prices = np.tile([0.001, 0.002, 0.004, 0.008, 0.016, 0.001, 0.002, 0.004, 0.008, 0.016], 40)
    won = crown(make_columns(400, "dear", cost_usd=1.1 * prices), make_columns(400, "cheap", cost_usd=prices))
    assert ("cheap", True) == (won["cost per request"].target, won["cost per request"].clear)
    noise = np.tile([0.5, 2.0, 0.4, 2.2, 1.1, 0.9, 3.0, 0.6, 1.0, 1.4], 40)
    won = crown(make_columns(400, "noisy", cost_usd=noise * prices), make_columns(400, "plain", cost_usd=prices))
    assert not won["cost per request"].clear


def test_a_winner_can_be_written_down(make_columns: MakeColumns, crown: Callable[..., dict[str, Winner]]) -> None:
    winner = crown(make_columns(10, "a"), make_columns(10, "b"))["pass rate"]
    assert winner == msgspec.json.decode(msgspec.json.encode(winner), type=Winner)


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


def list_price(target: Target) -> Price | None:
    return price_for(target.base_model, target.routing, terms=terms_of(target.options))


def test_a_regional_target_stands_beside_the_global_one_that_is_otherwise_its_equal(measure) -> None:  # type: ignore[no-untyped-def]
    worldwide, us, eu = resolve("global"), resolve("us"), resolve("eu")
    pairs = pair_routings([worldwide, us, eu], measure(worldwide, us, eu), list_price)
    assert [("claude-sonnet-4-6/global", "us"), ("claude-sonnet-4-6/global", "eu")] == [
        (pair.worldwide, pair.routing) for pair in pairs
    ]


def test_the_premium_is_that_of_the_list_price(measure) -> None:  # type: ignore[no-untyped-def]
    for model, premium in (("claude-sonnet-4-6", 0.1), ("claude-sonnet-4", 0.0)):
        worldwide, us = resolve("global", model), resolve("us", model)
        (pair,) = pair_routings([worldwide, us], measure(worldwide, us), list_price)
        assert premium == pair.price_premium


def test_latencies_are_apart_where_their_intervals_do_not_touch(measure) -> None:  # type: ignore[no-untyped-def]
    worldwide, us = resolve("global"), resolve("us")
    (pair,) = pair_routings([worldwide, us], measure(worldwide, us), list_price)
    assert (True, False) == (pair.ttft_p50_apart, pair.success_rate_apart)


@pytest.mark.parametrize("change", [{"client": "anthropic"}, {"api": "invoke"}, {"stream": False}])
def test_targets_that_differ_in_more_than_routing_are_not_compared(measure, change: dict[str, object]) -> None:  # type: ignore[no-untyped-def]
    worldwide, us = resolve("global"), resolve("us", **change)
    assert [] == pair_routings([worldwide, us], measure(worldwide, us), list_price)


def test_a_premium_on_an_unknown_price_or_a_free_one_is_unknown(measure) -> None:  # type: ignore[no-untyped-def]
    flex = Options(service_tier="flex")
    worldwide, us = resolve("global", options=flex), resolve("us", options=flex)
    assert pair_routings([worldwide, us], measure(worldwide, us), list_price)[0].price_premium is None
    free = Price(input=0, output=0, source="here", as_of=None)
    assert pair_routings([worldwide, us], measure(worldwide, us), lambda _: free)[0].price_premium is None
