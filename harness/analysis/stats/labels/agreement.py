"""How well two raters agree beyond chance: Cohen's kappa with its interval, by cluster where answers share a prompt."""

from __future__ import annotations

from math import atanh, sqrt, tanh

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

from harness.analysis.columns import Codes
from harness.analysis.stats.interval import LEVEL, Interval
from harness.analysis.stats.means import error_degrees, jackknife_error


def cohen_kappa(table: npt.ArrayLike, level: float = LEVEL) -> Interval | None:
    """κ = (p_o − p_e) / (1 − p_e) of a square table of counts, one rater's classes down, the other's across.

    p_o is the share on the diagonal, p_e = Σ_i p_i.·p_.i what chance would put there. The interval is
    tanh(artanh κ ± z·SE/(1 − κ²)) with `kappa_error`'s SE. Simulated at n = 50 and more (two classes, the rarer one
    25 or 50 %, κ 0.2 to 0.85) it covers 94 to 97 %, where κ ± z·SE covers 91 to 95 %; at n = 20, 87 to 97 %.

    None if undefined: no ratings, or both raters gave one and the same class throughout (p_e = 1). If all ratings agree
    or none does, the error is 0, and there are no bounds.

    Source: Cohen 1960, Educ. Psychol. Meas. 20:37–46; the scale is Fisher's for a correlation, by the delta method.
    Raises ValueError for a table that is not square.
    """
    shares = _shares(table)
    if shares is None:
        return None
    kappa, error = _kappa(shares), kappa_error(table)
    if error is None or error < 1e-9 or 1 - abs(kappa) < 1e-9:
        return Interval(value=kappa)
    reach = float(ndtri((1 + level) / 2)) * error / (1 - kappa**2)
    return Interval(value=kappa, low=tanh(atanh(kappa) - reach), high=tanh(atanh(kappa) + reach))


def clustered_kappa(
    first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_], clusters: Codes, level: float = LEVEL
) -> Interval | None:
    """κ of two raters' yes and no, one entry an answer; `clusters`: the code of each one's prompt or group.

    Answers to one prompt are judged alike, so the error is the larger of `kappa_error` and the jackknife over clusters,
    √((C − 1)/C · Σ_c (κ_c − κ̄)²), κ_c without cluster c, with `error_degrees` of freedom, on `cohen_kappa`'s scale.
    Where no cluster has two answers it is `cohen_kappa`. No bounds with one cluster of several answers.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 11 (jackknife).
    """
    code = np.unique(clusters, return_inverse=True)[1]
    cell, count = 2 * first.astype(np.int64) + second, int(code.max(initial=-1)) + 1
    by_cluster = np.bincount(4 * code + cell, minlength=4 * count).reshape(-1, 2, 2)
    table, sizes = by_cluster.sum(axis=0), by_cluster.sum(axis=(1, 2))
    simple = cohen_kappa(table, level)
    if simple is None or count == len(code):
        return simple
    kappa, error = simple.value, kappa_error(table) or 0.0
    if count < 2 or 1 - abs(kappa) < 1e-9:
        return Interval(value=kappa)
    without = np.array([kappa if p is None else _kappa(p) for p in (_shares(table - each) for each in by_cluster)])
    error = max(error, jackknife_error(without - without.mean()))
    reach = float(stdtrit(error_degrees(sizes), (1 + level) / 2)) * error / (1 - kappa**2)
    return Interval(value=kappa, low=tanh(atanh(kappa) - reach), high=tanh(atanh(kappa) + reach))


def kappa_error(table: npt.ArrayLike) -> float | None:
    """The large-sample standard error of κ (not that under κ = 0). None if κ is undefined.

    SE² = (A + B − C) / (n·(1 − p_e)²), A = Σ_i p_ii·(1 − (p_i. + p_.i)(1 − κ))²,
    B = (1 − κ)²·Σ_{i≠j} p_ij·(p_.i + p_j.)², C = (κ − p_e·(1 − κ))²

    Source: Fleiss, Cohen & Everitt 1969, Psychol. Bull. 72:323–327.
    """
    p = _shares(table)
    if p is None:
        return None
    rows, columns, diagonal = p.sum(axis=1), p.sum(axis=0), np.diag(p)
    kappa, chance, n = _kappa(p), float(rows @ columns), float(np.asarray(table).sum())
    a = float(diagonal @ (1 - (rows + columns) * (1 - kappa)) ** 2)
    apart = p - np.diag(diagonal)
    b = (1 - kappa) ** 2 * float((apart * (columns[:, None] + rows[None, :]) ** 2).sum())
    c = (kappa - chance * (1 - kappa)) ** 2
    return sqrt(max(0.0, a + b - c) / n) / (1 - chance)


def _shares(table: npt.ArrayLike) -> npt.NDArray[np.float64] | None:
    """The table's counts as shares. None: no counts, or p_e = 1."""
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"cohen_kappa needs a square table, not one of shape {counts.shape}")
    n = float(counts.sum())
    if n == 0 or np.isclose(float(counts.sum(axis=1) @ counts.sum(axis=0)), n * n):
        return None
    return counts / n


def _kappa(p: npt.NDArray[np.float64]) -> float:
    chance = float(p.sum(axis=1) @ p.sum(axis=0))
    return (float(np.trace(p)) - chance) / (1 - chance)
