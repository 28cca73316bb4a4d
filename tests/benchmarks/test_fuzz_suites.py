"""A short round of the fuzzing of suites: whatever is damaged is refused or loaded, and nothing else happens."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FOLDER = Path(__file__).parents[2] / "benchmarks"
LIMIT_S = 5.0
"""CPU seconds, as the first input loads the libraries."""


@pytest.mark.parametrize("name", ["suite", "suite-files", "answers"])
def test_a_damaged_suite_is_refused_or_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    target = importlib.import_module("fuzzing.suites").TARGETS[name]
    try_input = importlib.import_module("fuzzing.target").try_input
    whole = try_input(target, target.whole(), tmp_path / "input", limit_s=LIMIT_S)
    assert (None, None) == (whole.refused, whole.failure)

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def damage(data: st.DataObject) -> None:
        files = data.draw(target.inputs())
        assert try_input(target, files, tmp_path / "input", limit_s=LIMIT_S).failure is None

    damage()
