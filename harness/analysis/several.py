"""Several answers to a prompt: how often one is right, one of k is, and all of k are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import comb

import numpy as np

from harness.analysis.columns import Columns
from harness.analysis.stats import cluster_codes, clustered_rate
from harness.analysis.summary import Interval, Several
from harness.suite.schema import Prompt


def pass_at_k(answers: int, passed: int, k: int) -> float:
    """The chance that at least one of k answers to a prompt is right: 1 − C(n − c, k) / C(n, k).

    n answers of which c passed; unbiased for any n ≥ k, where 1 − (1 − c/n)^k is not.

    Source: Chen et al. 2021, arXiv 2107.03374, equation 1. Raises ValueError unless 0 ≤ passed ≤ answers and
    1 ≤ k ≤ answers.
    """
    _check(answers, passed, k)
    return 1 - comb(answers - passed, k) / comb(answers, k)


def pass_hat_k(answers: int, passed: int, k: int) -> float:
    """The chance that all of k answers to a prompt are right, pass^k: C(c, k) / C(n, k).

    Source: Yao et al. 2024 (τ-bench), arXiv 2406.12045. Raises ValueError as `pass_at_k`.
    """
    _check(answers, passed, k)
    return comb(passed, k) / comb(answers, k)


def summarise_several(c: Columns, prompts: Sequence[Prompt]) -> Several | None:
    """pass@k and pass^k of one target, averaged over prompts; None where no prompt has two scored answers.

    Of the prompts, those count that have at least half as many scored answers as the one with most; k goes up to the
    fewest among them. Intervals are `clustered_rate`'s over the groups of prompts: as wide as if each prompt's share
    were a single answer, so too wide rather than too narrow.
    """
    groups = {prompt.id: prompt.group or prompt.id for prompt in prompts}
    scored = c.prompt_id[~np.isnan(c.passed)]
    answers, passed = Counter(scored.tolist()), Counter(c.prompt_id[c.passed == 1].tolist())
    most = max(answers.values(), default=0)
    kept = [prompt_id for prompt_id, count in answers.items() if 2 * count >= most]
    fewest = min((answers[prompt_id] for prompt_id in kept), default=0)
    if fewest < 2:
        return None
    clusters = cluster_codes(np.array([groups[prompt_id] for prompt_id in kept], dtype=object))
    size = np.bincount(clusters)

    def mean(estimate: Callable[[int, int, int], float], k: int) -> Interval:
        values = [estimate(answers[prompt_id], passed[prompt_id], k) for prompt_id in kept]
        return clustered_rate(np.bincount(clusters, weights=values), size)

    ks = ks_of(fewest)
    return Several(
        answers=fewest,
        prompts=len(kept),
        left_out=len(answers) - len(kept),
        pass_at={k: mean(pass_at_k, k) for k in ks},
        pass_hat={k: mean(pass_hat_k, k) for k in ks},
    )


def ks_of(answers: int) -> list[int]:
    """The k that are told of so many answers: powers of two, and all of them."""
    powers = [2**i for i in range(answers.bit_length()) if 2**i < answers]
    return [*powers, answers]


def _check(answers: int, passed: int, k: int) -> None:
    if not 0 <= passed <= answers or not 1 <= k <= answers:
        raise ValueError(f"needs 0 <= passed <= answers and 1 <= k <= answers, not {passed} of {answers} and k {k}")
