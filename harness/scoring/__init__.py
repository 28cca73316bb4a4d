"""The scorers by name; each is imported only when a suite asks for it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from harness.errors import HarnessError
from harness.scoring.scorer import AnyScorer

GROUP = "harness.scorers"
"""The entry point group in which other packages offer scorers: `name = "module:Class"`, a msgspec Struct."""

SCORERS: dict[str, str] = {
    "exact": "harness.scoring.scorers.exact:Exact",
    "contains": "harness.scoring.scorers.contains:Contains",
    "regex": "harness.scoring.scorers.regex:Regex",
    "numeric": "harness.scoring.scorers.numeric:Numeric",
    "json_schema": "harness.scoring.scorers.json_schema:JsonSchema",
    "similarity": "harness.scoring.scorers.similarity:Similarity",
    "tool_call": "harness.scoring.scorers.tool_call:ToolCall",
    "citations": "harness.scoring.scorers.citations:Citations",
    "python": "harness.scoring.scorers.python:Python",
    "judge": "harness.scoring.scorers.judge:RubricJudge",
    "pairwise": "harness.scoring.scorers.pairwise:Pairwise",
}


def scorer_names() -> list[str]:
    """Names of all scorers: the built-in ones, then those of other packages, sorted."""
    return [*SCORERS, *sorted(_plug_ins().keys() - SCORERS.keys())]


def load_scorer(name: str) -> type[AnyScorer]:
    """The scorer's class, whose fields are the check's parameters. Raises HarnessError if it cannot be imported."""
    point = EntryPoint(name, SCORERS[name], GROUP) if name in SCORERS else _plug_ins()[name]
    try:
        kind: type[AnyScorer] = point.load()
    except (ImportError, AttributeError) as error:
        raise HarnessError(f"scorer {name!r} ({point.value}) cannot be loaded: {error}") from error
    return kind


@cache
def _plug_ins() -> dict[str, EntryPoint]:
    """Scorers of other packages. Cached, because the lookup reads the metadata of every installed package."""
    return {point.name: point for point in entry_points(group=GROUP)}
