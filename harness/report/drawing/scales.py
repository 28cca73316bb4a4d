"""Axes that do not mislead: linear from zero, or, if the values are spread widely, logarithmic and labelled as such."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from harness.report.wording import significant

LOG_FROM = 20.0
"""An axis is logarithmic if its largest value is more than this many times its smallest."""
SHORT_FROM, SHORT_TO = 1e-4, 1e6
"""A tick is written without an exponent from here to there."""


def scale_x(axes: Axes, values: Iterable[float], label: str, *, room: float = 1.05) -> None:
    """Scale the x axis for positive `values` and label it. It ends at `room` times the largest value or further."""
    low, high = _range(values)
    if high / low > LOG_FROM:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.15, high * room * 1.15)
        _mark_log(axes, "x", decades=np.log10(high / low))
        axes.set_xlabel(f"{label}, log scale")
    else:
        axes.set_xlim(0, high * room)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(write_tick))
        axes.set_xlabel(label)


def scale_y(axes: Axes, values: Iterable[float], *, room: float = 1.15) -> bool:
    """Scale the y axis like `scale_x`, without a label. Returns whether it is logarithmic."""
    low, high = _range(values)
    if high / low > LOG_FROM:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.2, high * max(room * 1.3, (high / low) ** (room - 1)))
        _mark_log(axes, "y", decades=np.log10(high / low))
        return True
    axes.set_ylim(0, high * room)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(write_tick))
    return False


def scale_from_zero(axes: Axes, high: float, label: str) -> None:
    """Scale the x axis for bars: linear from zero, with room for a number after the longest."""
    axes.set_xlim(0, (high or 1.0) * 1.28)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(write_tick))
    axes.set_xlabel(label)


def _range(values: Iterable[float]) -> tuple[float, float]:
    every = values if isinstance(values, np.ndarray) else np.array(list(values), dtype=np.float64)
    usable = every[np.isfinite(every) & (every > 0)]
    return (float(usable.min()), float(usable.max())) if len(usable) else (1.0, 1.0)


def _mark_log(axes: Axes, which: Literal["x", "y"], *, decades: float) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2.2 else (1,), numticks=8))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(write_tick))


def write_tick(value: float, _position: int | None = None) -> str:
    """A tick label: three significant digits, without trailing zeros; `2e-6` and `5e7` far from one."""
    if value and not SHORT_FROM <= abs(value) < SHORT_TO:
        digits, _, exponent = f"{value:.2e}".partition("e")
        return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"
    text = significant(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def write_share_tick(share: float, _position: int | None = None) -> str:
    """`97.5%`: a share of 0 … 1 as a tick label, never rounded to where the tick is not."""
    return f"{write_tick(100 * share)}%"
