"""Design effects, cell by cell, against the same sums taken answer by answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.columns import Codes, Floats
from harness.analysis.stats.clusters import Dependence, DesignEffect, blocks_of

N = 480
DUE = np.sort(np.random.default_rng(1).uniform(0, 300, N))
PROMPTS = {
    "ten answers each": np.arange(N) % 48,
    "groups of unequal size": np.random.default_rng(2).geometric(0.1, N),
    "one answer each": np.arange(N),
    "one prompt": np.zeros(N, dtype=np.int64),
}


def clustered(errors: Floats, codes: Codes) -> float:
    """C/(C−1) · Σ_c (Σ e)², a loop over clusters."""
    there = np.unique(codes)
    return len(there) / (len(there) - 1) * sum(float(errors[codes == each].sum()) ** 2 for each in there)


def design_effect(errors: Floats, prompts: Codes, blocks: Codes, binomial: float) -> float:
    time = max(1.0, *(clustered(errors, codes) / binomial for codes in (blocks, blocks // 2)))
    if len(np.unique(prompts)) in (1, len(prompts)):
        return time
    own, both = (clustered(errors, codes) / binomial for codes in (prompts, 1000 * prompts + blocks))
    return max(time, own, time + own - both)


@pytest.mark.parametrize("prompts", PROMPTS.values(), ids=PROMPTS)
@pytest.mark.parametrize("kept", [N, 300])
def test_a_design_effect_is_that_of_errors_summed_answer_by_answer(prompts: Codes, kept: int) -> None:
    """`kept`: fewer, as where some requests failed, so that some prompts and blocks may have no answer."""
    rng = np.random.default_rng(3)
    order = np.argsort(rng.normal(size=N) + 2 * (DUE > 200) + (prompts % 7) / 3)[:kept]
    effect, blocks = DesignEffect(Dependence.of(prompts, DUE).select(order)), blocks_of(DUE)[order]
    for below in (1, 17, kept // 2, kept - 20, kept - 1):
        share = below / kept
        errors = ((np.arange(kept) >= below) - (1 - share)) / kept
        expected = design_effect(errors, prompts[order], blocks, share * (1 - share) / kept)
        assert effect.at(below)[0] == pytest.approx(expected, rel=1e-12)
    errors = rng.normal(size=kept)
    errors -= errors.mean()
    found = effect.of(errors, 100.0)[0]
    assert design_effect(errors, prompts[order], blocks, 100.0) == pytest.approx(found, rel=1e-12)


def test_a_share_of_none_or_of_all_answers_has_no_design_effect() -> None:
    effect = DesignEffect(Dependence.of(PROMPTS["ten answers each"], DUE))
    assert (1.0, math.inf) == effect.at(0) == effect.at(N)
