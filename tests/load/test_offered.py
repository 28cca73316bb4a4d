from typing import Any

import pytest

from harness.load.forecast import forecast
from harness.suite.suite import Load


def test_the_picture_of_a_ramp_rises_and_holds_every_request(make_suite: Any) -> None:
    load = Load(arrival="ramp", rate_per_s=1.0, to_per_s=9.0, duration_s=64.0)
    [found] = forecast(make_suite(load, targets=2), seed=1).offered
    assert (("t0", "t1"), 320) == (found.targets, found.requests)
    assert found.requests == round(sum(found.per_s) * found.bin_s)
    assert 32 == len(found.per_s)
    assert all(1 + (at + 0.5) / 4 == pytest.approx(rate, abs=0.6) for at, rate in enumerate(found.per_s))
    assert sorted(found.per_s) == list(found.per_s)


def test_targets_of_another_rate_have_a_picture_of_their_own(make_suite: Any) -> None:
    load = Load(arrival="constant", rate_per_s=2.0, rates_per_s={"t1": 4.0}, duration_s=10.0)
    found = forecast(make_suite(load, targets=3), seed=1)
    assert [(("t0", "t2"), 20), (("t1",), 40)] == [(each.targets, each.requests) for each in found.offered]
    assert [20, 40, 20] == [each.requests for each in found.targets]
    assert {2.0, 4.0} == {rate for each in found.offered for rate in each.per_s}


def test_a_closed_load_offers_nothing_that_could_be_drawn(make_suite: Any) -> None:
    assert [] == forecast(make_suite(Load()), seed=1).offered
