"""What a figure is drawn from: a run's summary, its columns, and how each target looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.analysis.columns import Columns
from harness.analysis.summary.summary import RunSummary, TargetSummary, Winner
from harness.report.drawing.targets import Look, assign_looks


@dataclass(frozen=True, kw_only=True)
class RunView:
    """One run, ready to be drawn. `columns` may lack a target that has no measured request."""

    summary: RunSummary
    columns: Mapping[str, Columns]
    looks: Mapping[str, Look]

    @property
    def targets(self) -> list[TargetSummary]:
        """Targets of one model next to each other; else the suite's order."""
        models = [t.base_model for t in self.summary.targets]
        return sorted(self.summary.targets, key=lambda t: models.index(t.base_model))

    def look(self, target: TargetSummary) -> Look:
        return self.looks[target.target]

    def winner(self, metric: str) -> Winner | None:
        """Who leads on `metric`; None where the summary names nobody."""
        return next((w for w in self.summary.winners if w.metric == metric), None)

    def leading(self, winner: Winner | None) -> str | None:
        """Who leads, as a title says it: the leader and whom it is too close to; None where that is everybody."""
        if winner is None or len(winner.close) == winner.rivals:
            return None
        names = [self.looks[name].label for name in (winner.target, *winner.close)]
        return " and ".join(names if len(names) < 3 else [names[0], f"{len(names) - 1} others"])


def make_view(summary: RunSummary, columns: Mapping[str, Columns]) -> RunView:
    """The view of a run, with a look for each target."""
    return RunView(summary=summary, columns=columns, looks=assign_looks(summary.targets))
