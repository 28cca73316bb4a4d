"""Adjusted p-values against statsmodels and scipy."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

from harness.analysis.stats.interval import benjamini_hochberg, holm

P_VALUES = st.lists(st.floats(1e-9, 1), min_size=1, max_size=30)


@settings(max_examples=10)  # statsmodels takes 0.2 s
@given(P_VALUES)
def test_holm_is_statsmodels(p_values: list[float]) -> None:
    assert list(multipletests(p_values, method="holm")[1]) == pytest.approx(holm(p_values))


@given(P_VALUES)
def test_benjamini_hochberg_is_scipys(p_values: list[float]) -> None:
    assert list(false_discovery_control(p_values)) == pytest.approx(benjamini_hochberg(p_values))


def test_holms_worked_example() -> None:
    assert [0.03, 0.06, 0.06, 0.02] == pytest.approx(holm([0.01, 0.04, 0.03, 0.005]))
    assert [] == holm([]) == benjamini_hochberg([])


def test_without_a_test_to_correct_scipy_stats_which_takes_a_second_is_not_loaded() -> None:
    code = "import sys; from harness.analysis.stats.interval import benjamini_hochberg; benjamini_hochberg([])"
    code += "; print('scipy.stats' in sys.modules)"
    assert "False\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
