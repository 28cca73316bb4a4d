"""Two targets' requests, lined up by prompt: what every comparison computes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.analysis.columns import Codes, Columns, Floats
from harness.analysis.stats.means import cluster_codes


@dataclass(frozen=True, kw_only=True)
class ArmColumns:
    """One arm's requests of the prompts that both were asked, and each request's prompt as a code."""

    columns: Columns
    codes: Codes
    prompts: int

    def means(self, values: Floats) -> tuple[Floats, Codes]:
        """By prompt: the mean of its values (NaN: it has none), and how many there are. `values`: one a request."""
        there = ~np.isnan(values)
        counts = np.bincount(self.codes[there], minlength=self.prompts)
        sums = np.bincount(self.codes[there], weights=values[there], minlength=self.prompts)
        return np.divide(sums, counts, out=np.full(self.prompts, np.nan), where=counts > 0), counts


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Both arms over the same prompts. `groups`: one entry a prompt, its group's name, or its own id without one."""

    prompts: npt.NDArray[Any]
    groups: npt.NDArray[Any]
    baseline: ArmColumns
    candidate: ArmColumns

    def clusters(self, kept: npt.NDArray[np.bool_]) -> Codes:
        """Codes from 0 of what is independent among the prompts that are kept."""
        return cluster_codes(self.groups[kept])


def pair(baseline: Columns, candidate: Columns) -> Pairs:
    """Line up two targets' columns. Requests of prompts that only one side has are left out."""
    asked = set(candidate.prompt_id)
    group_of = {p: g for p, g in zip(baseline.prompt_id, baseline.group_id, strict=True) if p in asked}
    code = {prompt: index for index, prompt in enumerate(sorted(group_of))}
    return Pairs(
        prompts=np.array(list(code), dtype=object),
        groups=np.array([group_of[prompt] for prompt in code], dtype=object),
        baseline=_arm(baseline, code),
        candidate=_arm(candidate, code),
    )


def _arm(columns: Columns, code: dict[str, int]) -> ArmColumns:
    codes = np.fromiter((code.get(prompt, -1) for prompt in columns.prompt_id), np.int64, len(columns.prompt_id))
    kept = codes >= 0
    return ArmColumns(columns=columns.select(kept), codes=codes[kept], prompts=len(code))
