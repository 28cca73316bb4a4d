"""The look that all figures share: matplotlib settings, independent of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import matplotlib.style
from matplotlib.font_manager import FontProperties, findfont, get_font

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
    "text.hinting": "no_hinting",  # widths that scale: what fits at one resolution fits at all, and in the SVG file
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
    "svg.fonttype": "path",  # DejaVu is not on every machine; paths keep the widths that the layout was made for
    "svg.hashsalt": "harness",
}


@contextmanager
def house_style() -> Iterator[None]:
    """matplotlib's defaults with the house's settings over them, whatever the user's matplotlibrc says."""
    with matplotlib.style.context(["default", SETTINGS]):
        yield


@cache
def _has_glyph(character: str) -> bool:
    return get_font(findfont(FontProperties(family="DejaVu Sans"))).get_char_index(ord(character)) != 0


def drawable(text: str) -> str:
    """`text` with a box for every character that the figures' font does not have."""
    return "".join(c if c == "\n" or _has_glyph(c) else "□" for c in text)
