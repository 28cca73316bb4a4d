"""Which figures a report draws, and as which files in its `plots/` folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from harness.errors import HarnessError

FORMATS = ("png", "svg", "pdf")
DEFAULT_FORMATS = ("png", "svg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plots:
    """The user's choice. Pages embed their figures whatever the formats of the files."""

    formats: tuple[str, ...] = DEFAULT_FORMATS
    """Of FORMATS, in their order."""
    figures: tuple[str, ...] | None = None
    """Names of figures; None: all."""

    def has(self, name: str) -> bool:
        """Whether the figure is wanted."""
        return self.figures is None or name in self.figures


ALL_PLOTS = Plots()
A_FIGURE = "a figure of a run's report"


def parse_formats(written: str) -> tuple[str, ...]:
    """`pdf,png` in the order of FORMATS. HarnessError: one is unknown."""
    return _known(written, FORMATS, "--format", "a format")


def parse_figures(written: str, known: Sequence[str]) -> tuple[str, ...]:
    """`errors,timeline` in the order of `known`. HarnessError: one is unknown."""
    return _known(written, known, "--figures", A_FIGURE)


def require_known(name: str, known: Sequence[str], where: str, what: str) -> None:
    """HarnessError: the name is not `known`. `where`: what it was written for; `what`: what a known one is."""
    if name not in known:
        near = get_close_matches(name, known, n=1)
        guess = f"did you mean {near[0]!r}? Known" if near else "known"
        raise HarnessError(f"{where} {name!r}: is not {what}; {guess}: {', '.join(known)}")


def _known(written: str, known: Sequence[str], option: str, what: str) -> tuple[str, ...]:
    names = [name for part in written.split(",") if (name := part.strip())]
    for name in names or [written]:
        require_known(name, known, option, what)
    return tuple(name for name in known if name in names)
