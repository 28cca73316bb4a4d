"""The suite of a rerun holds both sides where both can be asked, and its verdict decides what two runs left open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.analysis.compare.comparison import CompareReport
from harness.catalog.prices import PriceOverride
from harness.catalog.target import Options
from harness.cli.running.compare_runs import Sides, compare_sides
from harness.cli.running.gate.both_arms import rerun_suite
from harness.cli.running.gate.confirm import Rerun, confirm_by_rerun, plan_rerun, wants_rerun
from harness.store.run_folder import RunFolder
from harness.suite.loader import load_suite
from harness.suite.stored import check_storable
from harness.suite.suite import Load, Suite

SUITES = Path(__file__).parents[4] / "suites"


@pytest.fixture
def suite() -> Suite:
    return load_suite(SUITES / "quickstart.yaml")


def only(suite: Suite, *at: int, **changes: Any) -> Suite:
    return msgspec.structs.replace(suite, targets=tuple(suite.targets[i] for i in at), baseline=None, **changes)


def test_the_baseline_of_the_earlier_run_is_asked_beside_the_candidate(suite: Suite) -> None:
    old, new = (target.name for target in suite.targets[:2])
    price = PriceOverride(model=suite.targets[0].base_model, input=1.0, output=2.0)
    earlier = only(suite, 0, prices=(price,), load=Load(arrival="constant", rates_per_s={old: 3.0}, requests=9))
    plan = only(suite, 1, 2, load=Load(arrival="constant", rates_per_s={new: 5.0}, requests=9))
    arms = rerun_suite(plan, earlier, [(old, new)])
    assert ([new, old], ((old, new),), ()) == (
        [target.name for target in arms.suite.targets],
        arms.in_one_run,
        arms.candidate_alone,
    )
    assert suite.targets[0] in arms.suite.targets
    assert {new: 5.0, old: 3.0} == arms.suite.load.rates_per_s
    assert (price,) == arms.suite.prices
    check_storable(arms.suite)


def test_a_target_of_the_same_name_with_other_options_gets_another(suite: Suite) -> None:
    name = suite.targets[0].name
    changed = msgspec.structs.replace(suite.targets[0], options=Options(max_tokens=7))
    earlier, plan = only(suite, 0), msgspec.structs.replace(only(suite, 0), targets=(changed,))
    arms = rerun_suite(plan, earlier, [(name, name)])
    assert ((f"{name} (baseline)", name),) == arms.in_one_run
    assert [7, suite.targets[0].options.max_tokens] == [target.options.max_tokens for target in arms.suite.targets]
    check_storable(arms.suite)


def test_a_target_that_both_runs_asked_is_asked_alone_and_one_of_another_endpoint_too(suite: Suite) -> None:
    old, new = (target.name for target in suite.targets[:2])
    arms = rerun_suite(suite, suite, [(new, new)])
    assert ([new], (), ((new, new),)) == ([t.name for t in arms.suite.targets], arms.in_one_run, arms.candidate_alone)
    apart = rerun_suite(only(suite, 1), only(suite, 0), [(old, new)], apart=True)
    assert ([new], ((old, new),)) == ([target.name for target in apart.suite.targets], apart.candidate_alone)


class Kept(list[CompareReport]):
    """What was written, in order."""


def ask_again(sides: Sides, kept: Kept) -> tuple[CompareReport, CompareReport]:
    first = compare_sides(sides)
    assert wants_rerun(first)
    how = Rerun(quiet=True)
    return first, confirm_by_rerun(first, sides, plan_rerun(sides, how), how, kept.append)[0]


def test_two_runs_of_two_targets_are_decided_by_one_run_of_both(upgrade: Any, again: Path) -> None:
    run = RunFolder(again)
    sides = Sides(run=run, earlier=RunFolder(upgrade.run), baseline="old", candidates=("slow", "same"))
    first, report = ask_again(sides, kept := Kept())
    assert ["inconclusive", "unknown", "unknown"] == [first.verdict, *(c.time for c in first.comparisons)]
    assert ["inconclusive"] * 2 == [c.verdict for c in first.comparisons]
    assert "no rerun has decided what is open" in kept[0].findings[-1].what
    slow, same = report.comparisons
    assert (["rerun", "rerun"], "worse") == ([slow.time, same.time], slow.verdict)
    rows = {d.metric: d for d in slow.differences}
    assert "worse" == rows["ttft_p50"].verdict
    assert "decided by a rerun of both targets in one run; the two runs at two times said +" in rows["ttft_p50"].note
    assert "worse" not in {d.verdict for d in same.differences if not d.exploratory}
    (rerun,) = (again / "confirm").iterdir()
    asked = [target["name"] for target in json.loads((rerun / "manifest.json").read_text())["targets"]]
    assert {"old", "slow", "same"} == set(asked)


def test_a_target_against_itself_is_not_asked_again_for_what_is_open(upgrade: Any, again: Path) -> None:
    sides = Sides(run=RunFolder(again), earlier=RunFolder(upgrade.run), candidates=("old",))
    first, report = ask_again(sides, kept := Kept())
    assert ("inconclusive", first, first) == (first.verdict, report, kept[-1])
    assert not (again / "confirm").exists()
