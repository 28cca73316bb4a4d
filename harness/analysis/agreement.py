"""How well two raters agree beyond chance: Cohen's kappa with its interval."""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from harness.analysis.summary import LEVEL, Interval


def cohen_kappa(table: npt.ArrayLike, level: float = LEVEL) -> Interval | None:
    """κ = (p_o − p_e) / (1 − p_e) of a square table of counts, one rater's classes down, the other's across.

    p_o is the share on the diagonal, p_e = Σ_i p_i.·p_.i what chance would put there. The interval is κ ± z·SE with the
    large-sample error (not that under κ = 0):

    SE² = (A + B − C) / (n·(1 − p_e)²), A = Σ_i p_ii·(1 − (p_i. + p_.i)(1 − κ))²,
    B = (1 − κ)²·Σ_{i≠j} p_ij·(p_.i + p_j.)², C = (κ − p_e·(1 − κ))²

    None where it cannot be said: no ratings, or both raters gave one and the same class throughout (p_e = 1). The
    interval is cut at −1 and 1. Where all ratings agree SE is 0; then the bounds are None rather than a point.

    Source: Cohen 1960, Educ. Psychol. Meas. 20:37–46; Fleiss, Cohen & Everitt 1969, Psychol. Bull. 72:323–327.
    Raises ValueError for a table that is not square.
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"cohen_kappa needs a square table, not one of shape {counts.shape}")
    n = float(counts.sum())
    if n == 0:
        return None
    p = counts / n
    rows, columns, diagonal = p.sum(axis=1), p.sum(axis=0), np.diag(p)
    chance = float(rows @ columns)
    if np.isclose(chance, 1.0):
        return None
    kappa = (float(diagonal.sum()) - chance) / (1 - chance)
    off = p - np.diag(diagonal)
    a = float(diagonal @ (1 - (rows + columns) * (1 - kappa)) ** 2)
    b = (1 - kappa) ** 2 * float((off * (columns[:, None] + rows[None, :]) ** 2).sum())
    c = (kappa - chance * (1 - kappa)) ** 2
    error = sqrt(max(0.0, a + b - c) / n) / (1 - chance)
    if error < 1e-9:
        return Interval(value=kappa)
    reach = float(norm.ppf((1 + level) / 2)) * error
    return Interval(value=kappa, low=max(-1.0, kappa - reach), high=min(1.0, kappa + reach))
