"""Several answers to a prompt: how often one is right, one of k is, and all of k are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from harness.analysis.columns import Codes, Columns, Floats
from harness.analysis.stats.interval import Interval
from harness.analysis.stats.means import cluster_codes
from harness.analysis.stats.proportions import clustered_rate, pass_all_k, pass_at_k
from harness.analysis.summary.summary import Several
from harness.suite.suite import Prompt


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

    asked, right = (np.array([count[prompt_id] for prompt_id in kept]) for count in (answers, passed))

    def mean(estimate: Callable[[Codes, Codes, int], Floats], k: int) -> Interval:
        return clustered_rate(np.bincount(clusters, weights=estimate(asked, right, k)), size)

    ks = ks_of(fewest)
    return Several(
        answers=fewest,
        prompts=len(kept),
        left_out=len(answers) - len(kept),
        pass_at={k: mean(pass_at_k, k) for k in ks},
        pass_hat={k: mean(pass_all_k, k) for k in ks},
    )


def ks_of(answers: int) -> list[int]:
    """The k that are told of so many answers: powers of two, and all of them."""
    powers = [2**i for i in range(answers.bit_length()) if 2**i < answers]
    return [*powers, answers]
