"""How far two graders agree beyond chance: a judge against the labels that people gave."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from harness.analysis.summary import LEVEL, Interval


def cohens_kappa(first: Sequence[object], second: Sequence[object], level: float = LEVEL) -> Interval | None:
    """κ = (p_o − p_e)/(1 − p_e) of two graders' labels of the same answers, with its large-sample interval.

    p_o is the share on which they agree, p_e = Σ p_i·q_i what their own shares of each label make by chance. With p_ij
    the table of shares, row sums p_i and column sums q_i, the variance is

        [Σ_i p_ii(1 − (p_i + q_i)(1 − κ))² + (1 − κ)²·Σ_{i≠j} p_ij(q_i + p_j)² − (κ − p_e(1 − κ))²] / (n(1 − p_e)²)

    The interval is cut to −1 … 1; with fewer than about 50 answers it is rough. None: there is no answer, or both
    always give the same single label, so that chance explains everything.

    Source: Cohen 1960, Educational and Psychological Measurement 20:37–46; Fleiss, Cohen & Everitt 1969,
    Psychological Bulletin 72:323–327. Raises ValueError on lists of different length.
    """
    pairs = list(zip(first, second, strict=True))
    labels = list(dict.fromkeys(label for pair in pairs for label in pair))
    if len(labels) < 2:
        return None
    code = {label: at for at, label in enumerate(labels)}
    n, table = len(pairs), np.zeros((len(labels), len(labels)))
    for one, other in pairs:
        table[code[one], code[other]] += 1 / n
    rows, columns, agreed = table.sum(axis=1), table.sum(axis=0), np.diag(table)
    observed, chance = float(agreed.sum()), float(rows @ columns)
    kappa = (observed - chance) / (1 - chance)
    on = float((agreed * (1 - (rows + columns) * (1 - kappa)) ** 2).sum())
    sums = (columns[:, None] + rows[None, :]) ** 2
    off = (1 - kappa) ** 2 * float((table * sums).sum() - (agreed * np.diag(sums)).sum())
    variance = (on + off - (kappa - chance * (1 - kappa)) ** 2) / (n * (1 - chance) ** 2)
    reach = float(ndtri((1 + level) / 2)) * math.sqrt(max(0.0, variance))
    return Interval(value=kappa, low=max(-1.0, kappa - reach), high=min(1.0, kappa + reach))
