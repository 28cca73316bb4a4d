"""Tick labels say where their tick is."""

from __future__ import annotations

import pytest

from harness.report.drawing.scales import write_share_tick


@pytest.mark.parametrize(
    ("share", "label"), [(1.0, "100%"), (0.975, "97.5%"), (0.925, "92.5%"), (0.04, "4%"), (0.0, "0%")]
)
def test_a_share_is_not_rounded_to_where_its_tick_is_not(share: float, label: str) -> None:
    assert label == write_share_tick(share)
