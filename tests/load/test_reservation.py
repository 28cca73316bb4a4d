from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.catalog.target import Api, Options, Target, resolve_target
from harness.load.forecast import TYPICAL_E2E_S
from harness.load.reservation import requests_per_minute, reservations
from harness.suite.suite import Load, Message, Prompt, Quota, Step, Suite


def target(*, model: str = "claude-sonnet-4-5", api: Api = "converse") -> Target:
    routing = None if api == "mantle" else "global"
    return resolve_target(model=model, routing=routing, api=api, client="aioboto3", options=Options(max_tokens=1000))


def prompt(name: str, tokens: int, **options: Any) -> Prompt:
    return Prompt(id=name, messages=(Message(role="user", content="word" * tokens),), options=Options(**options))


def suite(*prompts: Prompt, targets: tuple[Target, ...] = (), **settings: Any) -> Suite:
    return Suite(name="s", digest="", endpoint="aws", targets=targets or (target(),), prompts=prompts, **settings)


CONSTANT = Load(arrival="constant", rate_per_s=2, duration_s=600)


def test_a_constant_rate_reserves_input_and_max_tokens_and_is_charged_output_times_burndown() -> None:
    [found] = reservations(suite(prompt("a", 4000), load=CONSTANT))
    assert (120, 120 * 5000, 120 * (4000 + 5 * 1000)) == (
        found.requests_per_minute, found.reserved_per_minute, found.settled_per_minute_at_most
    )  # fmt: skip
    assert (5, None) == (found.burndown, found.assumed_e2e_s)


def test_prompts_count_with_their_own_options_and_in_equal_shares() -> None:
    [found] = reservations(suite(prompt("a", 1000, max_tokens=200), prompt("b", 3000), load=CONSTANT))
    assert 120 * (2000 + 600) == found.reserved_per_minute


def test_a_closed_load_is_as_fast_as_its_slots_and_says_what_it_assumed() -> None:
    load = Load(concurrency=6, repeats=1000)
    [found] = reservations(suite(prompt("a", 1), load=load))
    assert (6 * 60 / TYPICAL_E2E_S, TYPICAL_E2E_S) == (found.requests_per_minute, found.assumed_e2e_s)


def test_no_more_is_reserved_than_the_cap_lets_through_or_than_there_is_to_send() -> None:
    assert 30 == requests_per_minute(suite(prompt("a", 1), load=CONSTANT, quota=Quota(requests_per_minute=30)))
    assert 7 == requests_per_minute(suite(prompt("a", 1), load=Load(concurrency=50, repeats=6, warmup=1)))
    endless = Load(concurrency=3, duration_s=600)
    assert 3 * 60 / TYPICAL_E2E_S == requests_per_minute(suite(prompt("a", 1), load=endless))


def test_a_token_budget_bounds_what_is_taken() -> None:
    [found] = reservations(suite(prompt("a", 4000), load=CONSTANT, quota=Quota(tokens_per_minute=9000)))
    assert (9000, 9000) == (found.reserved_per_minute, found.settled_per_minute_at_most)


def test_the_rate_is_the_highest_of_the_schedule_and_each_targets_own() -> None:
    steps = (Step(rate_per_s=1, duration_s=600), Step(rate_per_s=3, duration_s=600))
    assert 180 == requests_per_minute(suite(prompt("a", 1), load=Load(arrival="steps", steps=steps)))
    targets = tuple(msgspec.structs.replace(target(), name=name) for name in "xyz")
    load = Load(arrival="poisson", rate_per_s=1, rates_per_s={"y": 2}, duration_s=600)
    found = reservations(suite(prompt("a", 1), targets=targets, load=load))
    assert [("x", 60), ("y", 120), ("z", 60)] == [(each.target, each.requests_per_minute) for each in found]


@pytest.mark.parametrize(("model", "rate"), [("claude-haiku-4-5", 5), ("claude-sonnet-5", 10), ("claude-opus-4-8", 15)])
def test_the_burndown_is_the_models_own(model: str, rate: int) -> None:
    assert [rate] == [each.burndown for each in reservations(suite(prompt("a", 1), targets=(target(model=model),)))]


def test_mantle_counts_output_against_another_quota() -> None:
    [found] = reservations(suite(prompt("a", 4000), targets=(target(api="mantle"),), load=CONSTANT))
    assert (120 * 5000, 120 * 4000) == (found.reserved_per_minute, found.settled_per_minute_at_most)
