"""Running counts of a run, one line for each target: what the live display shows and the budget is held against."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.store.records import Attempt


@dataclass(slots=True)
class Tally:
    """Counts of one target so far, warm-up included (it costs money too)."""

    done: int = 0
    """Requests that are over."""
    in_flight: int = 0
    failed: int = 0
    """Attempts that were not ok."""
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    """Attempts whose cost is unknown."""


@dataclass(slots=True)
class Progress:
    """Tallies by target. `planned`: requests for each target, None: only a duration bounds the run, or they differ."""

    planned: int | None
    tallies: dict[str, Tally] = field(default_factory=dict)

    def count(self, attempt: Attempt) -> None:
        """Take one attempt into account."""
        tally = self.tallies[attempt.target]
        tally.failed += not attempt.ok
        tally.output_tokens += attempt.output_tokens or 0
        if attempt.cost_usd is None:
            tally.unpriced += 1
        else:
            tally.cost_usd += attempt.cost_usd

    @property
    def done(self) -> int:
        return sum(tally.done for tally in self.tallies.values())

    @property
    def cost_usd(self) -> float:
        return sum(tally.cost_usd for tally in self.tallies.values())
