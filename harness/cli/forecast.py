"""`harness run --dry-run`: says what a run would do and cost."""

from __future__ import annotations

import msgspec

from harness.suite.schema import Suite


def print_forecast(suite: Suite, *, seed: int, as_json: bool) -> None:
    """Print the forecast of a suite; nothing is sent."""
    from harness.load.forecast import forecast
    from harness.scoring.forecast import forecast_judging

    found, judging = forecast(suite, seed=seed), forecast_judging(suite)
    if as_json:
        told = msgspec.to_builtins(found) | ({} if judging is None else {"judging": msgspec.to_builtins(judging)})
        print(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
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
    budget = "" if suite.budget_usd is None else f" ({_against_budget(found.cost_usd_at_most, suite.budget_usd)})"
    about = "about " if found.guessed else ""
    print(
        f"{suite.name}: {about}{found.requests:,} requests to {len(found.targets)} targets at {suite.endpoint}, "
        f"cost {_at_most(found.cost_usd_at_most)}{budget}, about {found.seconds:.0f} s; nothing was sent"
    )
    if judging is not None:
        print(f"judging: up to {judging.questions:,} questions, {_at_most(judging.cost_usd_at_most)} on top")


def _against_budget(cost_usd: float | None, budget_usd: float) -> str:
    if cost_usd is not None and cost_usd > budget_usd:
        return f"may end early: the budget is ${budget_usd:g}"
    return f"budget ${budget_usd:g}"


def _at_most(cost_usd: float | None) -> str:
    return "unknown" if cost_usd is None else f"up to about ${cost_usd:.4f}"
