"""How each prompt fared with each target, the most telling prompts first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.columns import Codes, Columns, Floats


@dataclass(frozen=True, kw_only=True)
class PromptGrid:
    """Prompts × targets. All arrays have one row a prompt and one column a target."""

    prompts: Sequence[str]
    targets: Sequence[str]
    passed: Codes
    """Answers that passed all their checks; a failed request has not passed."""
    scored: Codes

    @property
    def shares(self) -> Floats:
        """Passed / scored; NaN where nothing was scored."""
        return np.where(self.scored > 0, self.passed / np.maximum(1, self.scored), np.nan)

    @property
    def spread(self) -> Floats:
        """By prompt: its highest share less its lowest over the targets that have one; 0 with a single one."""
        shares = self.shares
        known = ~np.isnan(shares)
        high, low = np.where(known, shares, 0.0).max(axis=1), np.where(known, shares, 1.0).min(axis=1)
        return np.where(known.any(axis=1), high - low, 0.0)

    @property
    def mean(self) -> Floats:
        """By prompt: the mean of its shares over targets; NaN where nothing was scored."""
        known = (self.scored > 0).sum(axis=1)
        return np.where(known > 0, np.nansum(self.shares, axis=1) / np.maximum(1, known), np.nan)


def prompt_grid(columns: Mapping[str, Columns], targets: Sequence[str]) -> PromptGrid:
    """Scored prompts by how much they tell: the largest spread between targets first, then the lowest mean, then id."""
    there = [columns.get(name) for name in targets]
    code = {prompt: at for at, prompt in enumerate(dict.fromkeys(p for c in there if c for p in c.prompts[0]))}
    passed, scored = np.zeros((2, len(code), len(targets)), dtype=np.int64)
    for at, c in enumerate(there):
        if c is None or not len(c.ok):
            continue
        rows = np.array([code[prompt] for prompt in c.prompts[0]], dtype=np.int64)[c.prompts[1]]
        scored[:, at] = np.bincount(rows[~np.isnan(c.passed)], minlength=len(code))
        passed[:, at] = np.bincount(rows[c.passed == 1], minlength=len(code))
    grid = PromptGrid(prompts=list(code), targets=list(targets), passed=passed, scored=scored)
    spread, mean = np.round(grid.spread, 9), np.round(grid.mean, 9)
    kept = [at for at in range(len(code)) if scored[at].any()]
    order = sorted(kept, key=lambda at: (-spread[at], mean[at], grid.prompts[at]))
    return PromptGrid(
        prompts=[grid.prompts[at] for at in order], targets=grid.targets, passed=passed[order], scored=scored[order]
    )
