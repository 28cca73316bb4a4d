"""The load that a plan offers, over time: what a picture of it is drawn from."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import msgspec

from harness.load.plan import Round

MOST_BINS = 60
REQUESTS_A_BIN = 10
"""At least, on average: with fewer, a rate is a matter of luck."""
LAST_GAPS = 20
_BARS = "▁▂▃▄▅▆▇█"


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """What targets that share due times are offered, each of them, warm-up included."""

    targets: tuple[str, ...]
    requests: int
    bin_s: float
    per_s: tuple[float, ...]
    """Requests per second, one figure for every `bin_s` from the start on."""


class OfferedLoad:
    """Takes the rounds of an open load one by one."""

    def __init__(self) -> None:
        self._due: dict[frozenset[str], array[float]] = {}

    def add(self, each: Round) -> None:
        if each.offset_s is not None:
            self._due.setdefault(frozenset(one.target for one in each.requests), array("d")).append(each.offset_s)

    def add_all(self, targets: Sequence[str], due_s: Iterable[float]) -> int:
        """All that these targets are asked at once; how many times that is."""
        times = self._due.setdefault(frozenset(targets), array("d"))
        times.extend(due_s)
        return len(times)

    @property
    def last_s(self) -> float | None:
        """When the last request is due; None: no open load."""
        return max((times[-1] for times in self._due.values() if times), default=None)

    def result(self, targets: Sequence[str]) -> list[Offered]:
        """One for each group of targets, in the order of `targets`; none where the answers set the pace."""
        groups = sorted(self._due, key=lambda group: min(map(targets.index, group)))
        return [_binned(tuple(name for name in targets if name in group), self._due[group]) for group in groups]


def _binned(targets: tuple[str, ...], due: array[float]) -> Offered:
    """Bins divide the time to the last request and the gap that would follow, a mean of those before it."""
    last = due[-LAST_GAPS - 1 :]
    span_s = due[-1] + ((last[-1] - last[0]) / (len(last) - 1) if last[-1] > last[0] else 1.0)
    bins = max(1, min(MOST_BINS, len(due) // REQUESTS_A_BIN))
    counts = [0] * bins
    for at_s in due:
        counts[min(bins - 1, int(at_s / span_s * bins))] += 1
    bin_s = span_s / bins
    return Offered(
        targets=targets, requests=len(due), bin_s=bin_s, per_s=tuple(round(each / bin_s, 6) for each in counts)
    )


def sparkline(values: Sequence[float]) -> str:
    """A character a value, `▁` for nothing and `█` for the largest."""
    most = max(values, default=0.0)
    return "".join(_BARS[round(each / most * (len(_BARS) - 1)) if most > 0 else 0] for each in values)
