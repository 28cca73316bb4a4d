"""`harness run --dry-run`: says what a run would do and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from harness.characters import counted
from harness.cli.output import print_json
from harness.suite.suite import Suite

if TYPE_CHECKING:
    from harness.load.forecast import Offered


def print_forecast(suite: Suite, *, seed: int, as_json: bool) -> None:
    """Print the forecast of a suite; nothing is sent."""
    from harness.analysis.compare.detectable import find_detectable
    from harness.cli.printing.detectable import print_detectable
    from harness.load.forecast import forecast
    from harness.scoring.judging.forecast import forecast_judging

    found, judging = forecast(suite, seed=seed), forecast_judging(suite)
    if as_json:
        content = {**msgspec.to_builtins(found), "power": find_detectable(suite)}
        if judging is not None:
            content["judging"] = msgspec.to_builtins(judging)
        print_json(content)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("target", "requests", "input tokens", "output tokens", "cost"):
        table.add_column(heading, justify="left" if heading == "target" else "right", overflow="fold")
    for each in found.targets:
        table.add_row(
            Text(each.target),
            f"{each.requests:,}",
            f"~{each.input_tokens:,}",
            f"≤{each.output_tokens_at_most:,}",
            _at_most(each.cost_usd_at_most),
        )
    Console().print(table)
    for line in _offered_lines(found.offered, len(found.targets)):
        print(line)
    budget = "" if suite.budget_usd is None else f" ({_against_budget(found.cost_usd_at_most, suite.budget_usd)})"
    about = "about " if found.guessed else ""
    print(
        f"{suite.name}: {about}{counted(found.requests, 'request')} to {counted(len(found.targets), 'target')} "
        f"at {suite.endpoint}, "
        f"cost {_at_most(found.cost_usd_at_most)}{budget}, about {found.seconds:.0f} s; nothing was sent"
    )
    if judging is not None:
        print(f"judging: up to {judging.questions:,} questions, {_at_most(judging.cost_usd_at_most)} on top")

    print_detectable(find_detectable(suite))


def _offered_lines(offered: Sequence[Offered], targets: int) -> Iterator[str]:
    """The load over time, for each target: `▁▂▄█  1 to 20/s over 60 s, 630 requests`."""
    from harness.load.forecast import sparkline

    for each in offered:
        most, least = max(each.per_s), min(each.per_s)
        rates = f"{most:.3g}/s" if most - least < 0.1 * most else f"{least:.3g} to {most:.3g}/s"
        whom = "each target" if len(each.targets) == targets else ", ".join(each.targets)
        seconds = each.bin_s * len(each.per_s)
        yield f"{sparkline(each.per_s)}  {rates} to {whom}, {each.requests:,} requests in {seconds:.3g} s"


def _against_budget(cost_usd: float | None, budget_usd: float) -> str:
    if cost_usd is None:
        return f"the budget of ${budget_usd:g} cannot hold what has no known price"
    if cost_usd > budget_usd:
        return f"may end early: the budget is ${budget_usd:g}"
    return f"budget ${budget_usd:g}"


def _at_most(cost_usd: float | None) -> str:
    return "unknown" if cost_usd is None else f"up to about ${cost_usd:.4f}"
