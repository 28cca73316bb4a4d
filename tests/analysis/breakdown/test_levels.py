from itertools import islice

import msgspec
import numpy as np
import pytest

from harness.analysis.breakdown.levels import RAMP_PARTS, knee_of, level_results, load_levels
from harness.analysis.columns import RunData
from harness.analysis.compare.pairing import FinishedRun
from harness.load.plan import due_times, make_schedules
from harness.suite.suite import Load, Slo, Step

STEPS = Load(
    arrival="steps",
    steps=(Step(rate_per_s=2.0, duration_s=10.0), Step(rate_per_s=10.0, duration_s=10.0)),
    warmup=6,
    burstiness=1.0,
)


@pytest.fixture
def stepped(make_suite, make_run_manifest, make_columns):
    """A run of `a` under a load, due by its plan 7.5 s after the origin; `slow(due)`: extra E2E seconds."""

    def build(load: Load, slow=lambda at: 0 * at, **changes) -> FinishedRun:
        suite = make_suite(load=load, slo=changes.pop("slo", Slo(e2e_s=2.0)))
        manifest = make_run_manifest(suite)
        planned = np.array(list(due_times(suite, make_schedules(suite)[0], seed=manifest.seed)))
        due = 7.5 + np.round(planned[load.warmup :], 9)
        n = len(due)
        at = due - 7.5 - load.warmup / 2.0
        arrays = {
            "request_id": np.array([f"{i + load.warmup:06d}-00" for i in range(n)], dtype=object),
            "due_s": due, "first_try_sent_s": due, "sent_s": due, "first_s": due + 0.5, "last_s": due + 1.5,
            "done_s": due + 1.6 + slow(at),
        }  # fmt: skip
        columns = {"a": make_columns(n, **{**arrays, **changes})}
        return FinishedRun(manifest=manifest, suite=suite, data=RunData(columns=columns, counts={}, recorded=n))

    return build


def test_each_request_belongs_to_the_step_in_which_it_was_due(stepped) -> None:
    run = stepped(STEPS)
    first, second = level_results(run)["a"]
    due = np.array(list(islice(due_times(run.suite, make_schedules(run.suite)[0], seed=run.manifest.seed), 6, None)))
    assert [int((due - 3.0 < 10).sum()), int((due - 3.0 >= 10).sum())] == [first.requests, second.requests]
    assert (first.level.per_s, second.level.per_s) == (2.0, 10.0)


def test_a_request_due_at_the_very_end_of_a_step_belongs_to_the_next(stepped) -> None:
    first, second = level_results(stepped(msgspec.structs.replace(STEPS, burstiness=None)))["a"]
    assert (first.requests, second.requests) == (20, 100)


def test_the_knee_is_the_highest_load_until_which_every_level_met_its_slos(stepped) -> None:
    results = level_results(stepped(STEPS, slow=lambda at: np.where(at < 10, 0.0, 1.0)))["a"]
    assert [True, False] == [each.met for each in results]
    assert knee_of(results) == 2.0
    assert knee_of(level_results(stepped(STEPS))["a"]) == 10.0
    assert knee_of(level_results(stepped(STEPS, slow=lambda at: at * 0 + 1))["a"]) is None


def test_a_step_that_works_off_the_backlog_of_a_higher_one_does_not_lower_the_knee(stepped) -> None:
    back = msgspec.structs.replace(STEPS, steps=(*STEPS.steps, Step(rate_per_s=2.0, duration_s=10.0)))
    results = level_results(stepped(back, slow=lambda at: np.where(at < 10, 0.0, 1.0)))["a"]
    assert [True, False, False] == [each.met for each in results]
    assert knee_of(results) == 2.0


def test_without_an_slo_there_is_no_knee(stepped) -> None:
    results = level_results(stepped(STEPS, slo=Slo()))["a"]
    assert {None} == {each.met for each in results} | {each.goodput_per_s for each in results} | {knee_of(results)}


def test_failures_are_counted_by_level(stepped) -> None:
    run = stepped(msgspec.structs.replace(STEPS, burstiness=None))
    c = run.data.columns["a"]
    failing = stepped(msgspec.structs.replace(STEPS, burstiness=None), ok=np.arange(len(c.ok)) < 20)
    first, second = level_results(failing)["a"]
    assert (first.failed.value, second.failed.value) == (0.0, 1.0)
    assert second.e2e_s is None


def test_a_ramp_is_cut_into_equal_times(stepped) -> None:
    load = Load(arrival="ramp", rate_per_s=2.0, to_per_s=10.0, duration_s=16.0, warmup=0)
    levels = load_levels(load)
    assert [2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5] == [level.per_s for level in levels]
    results = level_results(stepped(load))["a"]
    assert len(results) == RAMP_PARTS
    assert sum(each.requests for each in results) == 96


@pytest.mark.parametrize(
    "load", [Load(), Load(arrival="constant", rate_per_s=5.0), Load(arrival="poisson", rate_per_s=5.0)]
)
def test_a_constant_load_has_no_levels(load: Load) -> None:
    assert load_levels(load) == []


def test_ids_of_another_making_count_from_the_earliest_due_time(stepped) -> None:
    load = msgspec.structs.replace(STEPS, burstiness=None, warmup=0)
    ids = np.array([f"x{i}" for i in range(120)], dtype=object)
    assert [20, 100] == [each.requests for each in level_results(stepped(load, request_id=ids))["a"]]
