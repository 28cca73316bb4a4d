"""The load of each step of a sweep, and the knee that a client-side quota allows."""

from __future__ import annotations

from itertools import islice
from random import Random
from typing import Any

import pytest

from harness import clock
from harness.catalog.target import Options
from harness.load.arrivals import make_arrival
from harness.load.plan import Part
from harness.load.progress import Progress, Tally
from harness.load.session import Job, Session, make_send
from harness.load.stop import Stop
from harness.load.sweep.search import Ladder, Search
from harness.load.sweep.step import By, Objective, StepOutcome
from harness.load.sweep.sweep import Climb, Sweep
from harness.suite.suite import Load, Message, Prompt, Quota, Slo
from tests.load.test_runner import Answer, ScriptedClient, scripted_channels

LADDER = Ladder(first=4, lowest=1, highest=100, resolution=0.1)
OBJECTIVE = Objective(slo=Slo(ttft_s=1.0), share=0.95, requests=144)


@pytest.mark.parametrize(("arrival", "burstiness"), [("constant", None), ("poisson", None), ("gamma", 0.5)])
def test_every_steady_arrival_process_can_climb(arrival: str, burstiness: float | None) -> None:
    climb = Climb(by="rate", ladder=LADDER, objective=OBJECTIVE, arrival=arrival, burstiness=burstiness)
    load = climb.load_at(50.0)
    assert (500, 100) == (load.requests, load.warmup)
    assert 5 == len(list(islice(make_arrival(load).offsets(Random(1)), 5)))


def test_a_step_of_slots_fills_every_slot_four_times_at_least() -> None:
    climb = Climb(by="concurrency", ladder=LADDER, objective=OBJECTIVE)
    assert [(144, 29), (400, 100)] == [(load.requests, load.warmup) for load in (climb.load_at(8), climb.load_at(100))]


def test_a_step_may_miss_as_many_as_the_percentile_lets_it() -> None:
    assert [7, 0] == [OBJECTIVE.may_miss, Objective(slo=Slo(), share=1.0, requests=20).may_miss]


def sweep_under(
    quota: Quota, by: By, ladder: Ladder, make_suite: Any, run_virtual: Any
) -> tuple[Search, list[StepOutcome]]:
    """A whole sweep of one target in virtual time: answers take 0.1 s, and cost 9 tokens where output counts once."""
    prompt = Prompt(id="p0", messages=(Message(role="user", content="?"),), options=Options(max_tokens=50))
    objective = Objective(slo=Slo(e2e_s=2.0), share=0.95, requests=40)
    suite = make_suite(Load(), quota=quota, prompts=(prompt,))
    climb = Climb(by=by, ladder=ladder, objective=objective, arrival="constant", step_s=1.0)

    async def run() -> tuple[Search, list[StepOutcome]]:
        stop, [target] = Stop(), suite.targets
        channels = scripted_channels(suite, ScriptedClient([Answer(after_s=0.1)]), stop)
        sweep = Sweep(suite, climb, channels=channels, seed=1, stop=stop)
        session = Session(
            job=Job(run_id="r", seed=1, origin_ns=clock.now_ns()),
            part=Part(suite=suite),
            channels=channels,
            progress=Progress(planned=None, tallies={target.name: Tally()}),
            stop=stop,
        )
        await sweep.run(make_send(session, sweep.record), lambda _: None)
        return sweep.searches[target.name], sweep.outcomes

    found: tuple[Search, list[StepOutcome]] = run_virtual(run())
    return found


RATES = Ladder(first=4, lowest=0.25, highest=8, resolution=0.1)
SLOTS = Ladder(first=2, lowest=1, highest=8, resolution=0.1, whole=True)
TOKENS_OF_60_S = 60 * 9 + 0.1 * (51 - 9)
"""Of one request a second: 9 tokens each for a minute, and the rest of the reservation for 0.1 s."""


def test_a_knee_under_a_token_quota_can_last(make_suite: Any, run_virtual: Any) -> None:
    quota = Quota(tokens_per_minute=600)
    search, outcomes = sweep_under(quota, "rate", RATES, make_suite, run_virtual)
    lasting_per_s = 600 / TOKENS_OF_60_S
    assert search.met is not None
    assert search.missed is not None
    assert search.met <= lasting_per_s < search.missed <= 1.1 * search.met
    above = [each for each in outcomes if not each.met]
    assert all(each.quota_per_s == pytest.approx(lasting_per_s, rel=0.02) for each in above)
    assert not any(each.client_limited for each in outcomes)


def test_a_knee_in_slots_under_a_token_quota_can_last(make_suite: Any, run_virtual: Any) -> None:
    quota = Quota(tokens_per_minute=2.5 * 10 * TOKENS_OF_60_S)
    search, _ = sweep_under(quota, "concurrency", SLOTS, make_suite, run_virtual)
    assert (2.0, 3.0) == (search.met, search.missed)


def test_a_knee_under_a_quota_of_requests_is_not_the_clients(make_suite: Any, run_virtual: Any) -> None:
    search, outcomes = sweep_under(Quota(requests_per_minute=180), "rate", RATES, make_suite, run_virtual)
    assert search.met is not None
    assert 2.7 <= search.met <= 3.0
    assert {3.0} == {each.quota_per_s for each in outcomes if not each.met}
    assert not any(each.client_limited for each in outcomes)
