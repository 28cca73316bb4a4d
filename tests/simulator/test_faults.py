"""How often faults are drawn."""

from __future__ import annotations

from collections import Counter
from random import Random

from harness.simulator.faults import THROTTLED, UNAVAILABLE, FaultRates


def test_faults_occur_at_their_rates() -> None:
    rates = FaultRates(throttle=0.2, unavailable=0.1)
    drawn = Counter(rates.draw(Random(seed)) for seed in range(2000))
    assert 340 <= drawn[THROTTLED] <= 460
    assert 150 <= drawn[UNAVAILABLE] <= 250
    assert drawn[None] == 2000 - drawn[THROTTLED] - drawn[UNAVAILABLE]


def test_without_rates_there_are_no_faults() -> None:
    assert {FaultRates().draw(Random(seed)) for seed in range(100)} == {None}


def test_a_rate_of_one_hits_every_request() -> None:
    assert {FaultRates(unavailable=1.0).draw(Random(seed)) for seed in range(100)} == {UNAVAILABLE}
