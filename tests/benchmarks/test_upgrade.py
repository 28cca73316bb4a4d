"""The benchmark of known upgrades asks what it says it asks."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

from harness.analysis.stats.power import pairs_for_difference
from harness.catalog.prices import price_for
from harness.simulator.model.profiles import load_profile_overrides
from harness.suite.loader import load_suite

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def upgrade(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("upgrade")


def test_every_candidate_differs_from_the_baseline_in_one_thing_at_most(upgrade: ModuleType, tmp_path: Path) -> None:
    upgrade.write_suite(tmp_path, 40, repeats=2, concurrency=3)
    suite = load_suite(tmp_path / "upgrade.yaml")
    assert ["old", *upgrade.CANDIDATES] == [target.name for target in suite.targets]
    assert {"us"} == {target.routing for target in suite.targets}
    assert (40, 2, 3) == (len(suite.prompts), suite.load.repeats, suite.load.concurrency)
    prices = [price_for(target.base_model, target.routing, suite.prices) for target in suite.targets]
    assert all(price is not None and price == prices[0] for price in prices)
    profiles = load_profile_overrides(upgrade.write_profiles(tmp_path))
    assert {target.base_model for target in suite.targets} == set(profiles)
    written = json.loads((tmp_path / "profiles.json").read_text())
    differing = {
        label: {key for key, value in written[model].items() if value != upgrade.BASE.get(key)}
        for label, (model, *_) in upgrade.CANDIDATES.items()
    }
    assert {"same": set(), "twin": set(), "dull": {"skill"}, "slow": {"ttft_s"}, "wordy": {"verbosity"}} == differing


def test_the_promise_is_the_formula_of_the_dry_run_turned_round(upgrade: ModuleType) -> None:
    for discordance in (0.2, 0.26):
        n = pairs_for_difference(0.1, discordance, alpha=0.05 / 20)
        assert 0.8 == pytest.approx(upgrade.power_at(n, 0.1, discordance, 20), abs=0.003)
