"""`harness run --dry-run`: says what differences a suite can see, and what n its margins need."""

from __future__ import annotations

from harness.analysis.compare.detectable import Detectable, DetectableDifference
from harness.characters import counted


def print_detectable(found: Detectable) -> None:
    """Print the table of a suite's power."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("metric", "margin", "worse from", "to see twice the margin", "to rule the margin out"):
        table.add_column(heading, justify="left" if heading == "metric" else "right", overflow="fold")
    for each in found.metrics:
        table.add_row(
            each.metric,
            each.margin,
            _minimum_detectable(each),
            _prompts(each.prompts_for_worse),
            _prompts(each.prompts_for_equivalent),
        )
    asked = "once" if found.repeats == 1 else f"{found.repeats} times"
    grouped = f" in {found.clusters} groups" if found.clusters < found.prompts else ""
    gate = "default gate" if found.default_gate else "gate"
    prompts = f"{counted(found.prompts, 'prompt')}{grouped}, asked {asked}"
    print(f"\nWhat {prompts}, can tell ({gate}, family of {found.family}):")
    Console().print(table, markup=False)
    for each in found.metrics:
        if each.prompts < found.prompts:
            print(f"{each.metric}: rests on {counted(each.prompts, 'prompt')}")
    for note in dict.fromkeys(f"{each.metric}: {each.note}" for each in found.metrics if each.note):
        print(note)
    print(found.assumptions)


def _minimum_detectable(each: DetectableDifference) -> str:
    if each.minimum_detectable is None:
        return "-"
    return f"{100 * each.minimum_detectable:.0f} {'pp' if each.margin.endswith('pp') else '%'}"


def _prompts(count: int | None) -> str:
    return "-" if count is None else f"{count:,} prompts"
