"""Draws docs/two-runs.png: why two runs at two times are not one. Simulated; the same bytes every time.

python benchmarks/two_runs_picture.py [FILE]
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from worlds.draws import PROMPT_SPREAD, REQUEST_SPREAD, Floats

from harness.analysis.stats.interval import Effect
from harness.analysis.stats.quantiles import quantile_interval
from harness.analysis.stats.random_effects import count_spread, pairs_apart, spread_of_difference, spread_of_runs
from harness.analysis.stats.time_blocks import Answers, compare_quantiles
from harness.report.drawing.frame import Provenance, open_frame
from harness.report.drawing.render import render_figure
from harness.report.drawing.style import FAILURE, GREY, HUES, figure_style

FILE = Path(__file__).parents[1] / "docs" / "two-runs.png"
SEED, NIGHTS, PROMPTS, SHIFT = 24, 22, 240, 0.10
MARGIN = 0.15


def draw_nights() -> Floats:
    """TTFT of one target that never changes, s, each night with an hour of its own; a second arm of the last one last.

    (NIGHTS + 1) × PROMPTS.
    """
    rng = np.random.default_rng(SEED)
    hours = SHIFT * rng.normal(size=NIGHTS)
    prompts = PROMPT_SPREAD * rng.normal(size=PROMPTS)
    noise = REQUEST_SPREAD * rng.normal(size=(NIGHTS + 1, PROMPTS))
    return np.asarray(0.8 * np.exp(np.append(hours, hours[-1])[:, None] + prompts + noise))


def compare(old: Floats, new: Floats) -> Effect:
    due, codes = np.arange(PROMPTS) / 4, np.arange(PROMPTS)
    arms = (Answers(values=each, clusters=codes, due_s=due) for each in (new, old))
    return compare_quantiles(*arms, (0.5,))[0]


def draw() -> Figure:
    *nights, again = draw_nights()
    medians = [quantile_interval(np.sort(night), 0.5) for night in nights]
    alone = compare(nights[-2], nights[-1])
    past = [math.log(each.value) for each in medians[:-2]]
    spread = spread_of_runs(past)
    between = spread_of_difference(spread, spread, same=True)
    counted = count_spread(alone, between, at_least=pairs_apart(past, past, same=True))
    together = compare(nights[-1], again)
    change = math.expm1(alone.estimate)
    figure = open_frame(
        Provenance(
            simulated=True,
            source=["python benchmarks/two_runs_picture.py", f"seed {SEED}"],
            facts=[
                f"{NIGHTS} runs of one target that never changes, {PROMPTS} prompts each",
                f"runs differ by {SHIFT:.0%} (standard deviation)",
                "95% intervals",
            ],
        ),
        title=f"The same target on two nights: {change:+.0%}, and nothing about it has changed",
        question="Left: each run's median with the interval of its own answers. Right: the last two nights compared.",
        body_in=3.2,
    )
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    _draw_nights(left, medians)
    _draw_differences(right, {
        "the two runs alone:\ntakes the hours as equal": (alone, FAILURE),
        f"the two runs, and how much\nthe {NIGHTS - 2} before differ": (counted, HUES[0]),
        "both sides in one run:\nthe hour cancels out": (together, HUES[2]),
    })  # fmt: skip
    return figure


def _draw_nights(axes: Axes, medians: list) -> None:  # type: ignore[type-arg]
    for night, each in enumerate(medians, 1):
        last = night > NIGHTS - 2
        colour = FAILURE if last else GREY
        axes.plot([night, night], [each.low, each.high], color=colour, linewidth=1.6)
        axes.plot([night], [each.value], "o", color=colour, markersize=5)
        if last:
            axes.annotate(
                "AB"[night - NIGHTS + 1], (night, each.high), (0, 5), textcoords="offset points", ha="center",
                color=colour, fontweight="bold",
            )  # fmt: skip
    axes.set_ylim(0.5, 1.25)
    axes.set_xlabel("night")
    axes.set_ylabel("TTFT p50, s")


def _draw_differences(axes: Axes, rows: dict[str, tuple[Effect, str]]) -> None:
    axes.axvspan(0, 100 * MARGIN, color="#F0F2F4")
    axes.axvline(0, color=GREY, linewidth=1)
    for at, (effect, colour) in enumerate(rows.values()):
        assert effect.low is not None
        assert effect.high is not None
        low, value, high = (100 * math.expm1(x) for x in (effect.low, effect.estimate, effect.high))
        axes.plot([low, high], [at, at], color=colour, linewidth=2)
        axes.plot([value], [at], "o", color=colour)
        told = f"{value:+.0f}%  [{low:+.0f}, {high:+.0f}]".replace("-", "−")
        axes.annotate(told, (value, at), (0, 8), textcoords="offset points", ha="center", fontsize=8.5)
    axes.set_yticks(range(len(rows)), list(rows), fontsize=8.5)
    axes.set_ylim(len(rows) - 0.5, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set_xlabel("difference, %; the shade is the margin")


def main(path: Path = FILE) -> None:
    with figure_style():
        path.write_bytes(render_figure("two-runs", draw()).png)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
