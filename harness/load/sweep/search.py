"""The search for a knee, the highest load that still meets the objective: doubles, then bisects."""

from __future__ import annotations

import math

import msgspec

from harness.errors import HarnessError


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """The levels that a search may try, in requests per second or slots."""

    first: float
    lowest: float
    highest: float
    resolution: float
    """The search ends when the lowest level that missed is at most this fraction above the highest that met."""
    whole: bool = False
    """Whether levels are whole numbers (slots)."""

    def __post_init__(self) -> None:
        if not 0 < self.lowest <= self.first <= self.highest < math.inf:
            raise HarnessError(
                f"a sweep cannot start at {self.first:g} between {self.lowest:g} and {self.highest:g}; levels must be "
                "above zero and in this order: lowest, first, highest"
            )


class Search:
    """One target's search: get `next_level`, try it, `report` the outcome."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self.met: float | None = None
        """The highest level that met the objective."""
        self.missed: float | None = None
        """The lowest level above it that did not."""

    def report(self, level: float, *, met: bool) -> None:
        """Report the outcome of a level from `next_level`."""
        if met:
            self.met = level
        else:
            self.missed = level

    def next_level(self) -> float | None:
        """The next level to try. None: the knee is known to within the resolution, or lies off the ladder."""
        level = self._unchecked_level()
        return None if level is None or level in (self.met, self.missed) else level

    def _unchecked_level(self) -> float | None:
        ladder, met, missed = self._ladder, self.met, self.missed
        if met is None and missed is None:
            return ladder.first
        if missed is None:
            assert met is not None
            return None if met >= ladder.highest else self._rounded(min(2 * met, ladder.highest))
        if met is None:
            return None if missed <= ladder.lowest else self._rounded(max(missed / 2, ladder.lowest))
        return None if missed <= met * (1 + ladder.resolution) else self._rounded(math.sqrt(met * missed))

    def _rounded(self, level: float) -> float:
        """Round to whole slots, or to three significant digits so that reports read well; stay on the ladder."""
        rounded = float(round(level)) if self._ladder.whole else float(f"{level:.3g}")
        return min(max(rounded, self._ladder.lowest), self._ladder.highest)
