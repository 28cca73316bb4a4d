"""A judged rate corrected by how the judge errs: worked by hand, and covered."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.stats.labels.misclassification import Share, corrected_rate
from harness.analysis.stats.proportions import wilson


def share(value: float, n: float = 1e9) -> Share:
    return Share(value=value, n=n)


def test_a_rate_is_corrected_as_by_rogan_and_gladen() -> None:
    """Of 80 good answers the judge passes 72, of 20 bad ones it passes 4: 76 of 100."""
    found = corrected_rate(share(0.76), share(0.9), share(0.8))
    assert found is not None
    assert (pytest.approx(0.8), pytest.approx(0.8, abs=1e-3), pytest.approx(0.8, abs=1e-3)) == (
        found.value, found.low, found.high,
    )  # fmt: skip


def test_a_judge_without_errors_changes_nothing() -> None:
    found = corrected_rate(share(0.9, 200), share(1.0), share(1.0))
    raw = wilson(180, 200)
    assert found is not None
    assert (0.9, raw.low, raw.high) == pytest.approx((found.value, found.low, found.high), abs=1e-3)


def test_few_labels_of_failed_answers_make_the_interval_wide() -> None:
    widths = []
    for n in (5, 50, 500):
        found = corrected_rate(share(0.9, 300), share(0.96, 100), share(0.8, n))
        assert found is not None
        widths.append((found.high or 0.0) - (found.low or 0.0))
    assert sorted(widths, reverse=True) == widths
    assert widths[0] > 1.5 * widths[2]


def test_a_judge_no_better_than_chance_corrects_nothing() -> None:
    assert corrected_rate(share(0.7, 100), share(0.5, 50), share(0.5, 50)) is None


def test_a_rate_that_no_true_rate_explains_is_not_corrected() -> None:
    """The judge passes 60 % of what people passed, and yet 95 % of these answers."""
    assert corrected_rate(share(0.95, 500), share(0.6, 200), share(0.9, 200)) is None


def test_labels_of_one_prompt_count_as_fewer() -> None:
    outcomes = np.tile([1.0, 1.0, 0.0, 1.0], 10)
    each, together = Share.of(outcomes, np.arange(40)), Share.of(np.sort(outcomes), np.arange(40) // 10)
    assert each is not None
    assert together is not None
    assert 40 == each.n
    assert together.n < 10
    assert Share.of(np.array([]), np.array([], dtype=np.int64)) is None


@pytest.mark.parametrize(("pi", "se", "sp"), [(0.6, 0.9, 0.8), (0.85, 0.8, 0.8), (0.97, 0.95, 0.9)])
def test_the_corrected_interval_covers_the_truth(pi: float, se: float, sp: float) -> None:
    """100 labels, half of them of failed answers; 300 answers graded."""
    rng, held = np.random.default_rng(6), []
    for _ in range(300):
        p = share(rng.binomial(300, pi * se + (1 - pi) * (1 - sp)) / 300, 300)
        found = corrected_rate(p, share(rng.binomial(50, se) / 50, 50), share(rng.binomial(50, sp) / 50, 50))
        held.append(found is not None and (found.low or 0.0) <= pi <= (found.high or 0.0))
    assert np.mean(held) >= 0.93
