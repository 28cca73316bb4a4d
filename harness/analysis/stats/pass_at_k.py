"""Several answers to a prompt: the chance that any of k passes, and that all k do."""

from __future__ import annotations

import numpy as np

from harness.analysis.columns import Codes, Floats


def pass_at_k(answers: Codes, passed: Codes, k: int) -> Floats:
    """By prompt: the chance that at least one of k answers passes, 1 − C(n−c, k)/C(n, k); NaN with fewer than k.

    n answers of which c passed, one entry a prompt. Unbiased, which 1 − (1 − c/n)^k is not.

    Source: Chen et al. 2021, Evaluating Large Language Models Trained on Code, arXiv 2107.03374.
    """
    return 1 - _all_of(answers, answers - passed, k)


def pass_all_k(answers: Codes, passed: Codes, k: int) -> Floats:
    """By prompt: the chance that all of k answers pass, pass^k = C(c, k)/C(n, k); NaN with fewer than k answers.

    Source: Yao et al. 2024, τ-bench, arXiv 2406.12045.
    """
    return _all_of(answers, passed, k)


def _all_of(answers: Codes, hits: Codes, k: int) -> Floats:
    """C(hits, k)/C(answers, k) = Π_{i<k} (hits − i)/(answers − i)."""
    share = np.where(answers >= k, 1.0, np.nan)
    for i in range(k):
        share = share * np.maximum(hits - i, 0) / np.maximum(answers - i, 1)
    return share
