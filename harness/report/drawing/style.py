"""matplotlib's settings, independent of the user's own, and the look of each target in every figure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Literal, Protocol, TypeVar

import matplotlib.style
import msgspec
from matplotlib.font_manager import FontProperties, findfont, get_font

from harness.characters import printable
from harness.report.wording import shorten

Line = Literal["-", "--", "-.", ":"] | tuple[int, tuple[float, ...]]

HUES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#8C6D00")
"""Okabe and Ito's colour-blind-safe palette. Vermillion is for failures only; yellow is darkened to show on white."""
FAILURE = "#D55E00"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: tuple[Line, ...] = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 2.5)), (0, (9, 3)), (0, (4, 1, 1, 4)))
LABEL_WIDTH = 42
LINE_WIDTH = 26

K = TypeVar("K", bound=Hashable)

INK = "#1F2328"
GREY = "#59636E"
FAINT = "#D1D9E0"
BAND = "#F0F2F4"
SIMULATED_BAND = "#FFE9C7"
SIMULATED_BADGE = "#B34700"
DPI = 150

SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "figure.dpi": DPI,
    "savefig.dpi": "figure",
    "text.color": INK,
    "text.parse_math": False,  # a `$` in a target's name is a dollar
    "text.usetex": False,
    "text.hinting": "no_hinting",  # text widths scale with the resolution, so what fits in the PNG fits in the SVG
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "hatch.linewidth": 0.6,
    "svg.fonttype": "path",  # not every machine has DejaVu; paths keep the widths of the layout
    "svg.hashsalt": "harness",
    "pdf.fonttype": 42,  # text stays text: to search, to copy, and for journals, which reject Type 3
}


@contextmanager
def figure_style() -> Iterator[None]:
    """matplotlib's defaults with SETTINGS on top; ignores the user's matplotlibrc."""
    with matplotlib.style.context(["default", SETTINGS]):
        yield


@cache
def _has_glyph(character: str) -> bool:
    return get_font(findfont(FontProperties(family="DejaVu Sans"))).get_char_index(ord(character)) != 0


def drawable(text: str) -> str:
    """`text` with a box in place of every character that the figures' font lacks."""
    return "".join(c if c == "\n" or _has_glyph(c) else "□" for c in text)


class AnyTarget(Protocol):
    """What a target's look depends on. The targets of a run and of a history have these."""

    @property
    def target(self) -> str: ...
    @property
    def base_model(self) -> str: ...
    @property
    def routing(self) -> str: ...


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A target's appearance in every figure."""

    label: str
    """The target's name on one line, shortened and safe to print."""
    two_lines: str
    """The name for an axis."""
    colour: str
    line: Line
    marker: str


def assign_looks(targets: Sequence[AnyTarget]) -> dict[str, Look]:
    """Target name → look. The model decides the hue; targets of one model and routing differ in tone and marker.

    With more models than hues, those that share a hue differ in marker and line.
    """
    models = _ranks(t.base_model for t in targets)
    twins = _twin_numbers(targets)
    ranks = _ranks((t.routing, twin) for t, twin in zip(targets, twins, strict=True))
    variants = {
        t.target: ranks[t.routing, twin] + len(ranks) * (models[t.base_model] // len(HUES))
        for t, twin in zip(targets, twins, strict=True)
    }
    labels = _distinct([drawable(shorten(printable(t.target), LABEL_WIDTH)) for t in targets])
    return {
        t.target: Look(
            label=label,
            two_lines=_two_lines(label),
            colour=_tone(HUES[models[t.base_model] % len(HUES)], twin),
            line=LINES[variants[t.target] % len(LINES)],
            marker=MARKERS[variants[t.target] % len(MARKERS)],
        )
        for t, twin, label in zip(targets, twins, labels, strict=True)
    }


def _ranks(keys: Iterable[K]) -> dict[K, int]:
    ranks: dict[K, int] = {}
    for key in keys:
        ranks.setdefault(key, len(ranks))
    return ranks


def _twin_numbers(targets: Sequence[AnyTarget]) -> list[int]:
    """For each target, how many targets before it share its model and routing."""
    seen: dict[tuple[str, str], int] = {}
    numbers = []
    for t in targets:
        key = (t.base_model, t.routing)
        numbers.append(seen.get(key, 0))
        seen[key] = numbers[-1] + 1
    return numbers


def _distinct(labels: Sequence[str]) -> list[str]:
    """The labels, with a number added to equal ones."""
    return [label if labels.count(label) == 1 else f"{label} #{i + 1}" for i, label in enumerate(labels)]


def _two_lines(label: str) -> str:
    head, slash, tail = label.partition("/")
    if not slash:
        return shorten(label, LINE_WIDTH)
    return f"{shorten(head, LINE_WIDTH)}\n{shorten(tail, LINE_WIDTH)}"


def _tone(colour: str, twin: int) -> str:
    """The colour of the n-th twin: unchanged, then halfway to white, then halfway to black."""
    if twin % 3 == 0:
        return colour
    towards = 255 if twin % 3 == 1 else 0
    channels = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{(c + towards) // 2:02X}" for c in channels)
