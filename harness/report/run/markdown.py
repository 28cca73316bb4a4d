"""report.md: the whole verdict as Markdown, for a pull request or a wiki; every name in it is escaped."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.summary.summary import RunSummary
from harness.report.drawing.render import Picture
from harness.report.markdown import escape, pipe_table
from harness.report.run.graded import sections
from harness.report.run.methods import methods
from harness.report.run.sections import (
    Column,
    columns,
    errors,
    is_believable,
    leaders,
    load_columns,
    routing_sentence,
    tag_cell,
    tags,
)
from harness.report.wording import SIMULATED, date_of, sentence, usd, value_of, verdict_of


def render_markdown(summary: RunSummary, pictures: Sequence[Picture], folder: str = "plots") -> str:
    """The report; pictures are referred to as `<folder>/<name>.png`."""
    parts = [
        f"# {escape(summary.suite)}",
        *_banners(summary),
        _facts(summary),
        *_leads(summary),
        *_routings(summary),
        "## Targets",
        _columns_table(summary, columns(summary)),
        *_findings(summary),
        *(["## Figures"] if pictures else []),
        *(f"![{escape(p.title)}]({folder}/{p.name}.png)" for p in pictures),
        "## Load, tokens and cost",
        _columns_table(summary, load_columns(summary)),
        *_errors(summary),
        *_tags(summary),
        *_graded(summary),
        "## What the numbers mean",
        "\n".join(f"- **{escape(term)}**: {escape(text)}" for term, text in methods(summary)),
    ]
    return "\n\n".join(parts) + "\n"


def _banners(summary: RunSummary) -> list[str]:
    banners = []
    if summary.simulated:
        banners.append(f"> **SIMULATED.** {SIMULATED[0].upper()}{SIMULATED[1:]}.")
    if not is_believable(summary):
        banners.append(f"> **This run may not be believed** (state: {escape(summary.state)}). See the findings.")
    return banners


def _facts(summary: RunSummary) -> str:
    cost = usd(summary.total_cost_usd)
    return (
        f"Run {escape(summary.run_id)}, {date_of(summary.started_utc)}, {summary.duration_s:.1f} s, "
        f"{escape(summary.arrival)} arrivals at {escape(summary.endpoint)}, "
        f"suite digest {escape(summary.suite_digest)}, {100 * summary.level:g}% intervals, total cost {escape(cost)}."
    )


def _leads(summary: RunSummary) -> list[str]:
    if not summary.winners:
        return []
    rows = [(w.metric, leaders(w), value_of(w), verdict_of(w) or "clear") for w in summary.winners]
    return ["## Who leads", pipe_table(("metric", "target", "value", "verdict"), rows)]


def _routings(summary: RunSummary) -> list[str]:
    if not summary.routings:
        return []
    lines = [f"- {escape(routing_sentence(pair, summary))}" for pair in summary.routings]
    return ["## Global or regional", "\n".join(lines)]


def _findings(summary: RunSummary) -> list[str]:
    if not summary.findings:
        return []
    lines = [f"- {'**Invalid.** ' if f.invalidates else ''}{escape(sentence(f))}" for f in summary.findings]
    return ["## Findings", "\n".join(lines)]


def _errors(summary: RunSummary) -> list[str]:
    rows = errors(summary)
    if not rows:
        return ["## Errors", "No attempt failed."]
    return ["## Errors", pipe_table(("target", "kind", "failed attempts", "most frequent message"), rows)]


def _tags(summary: RunSummary) -> list[str]:
    names = tags(summary)
    if not names:
        return []
    rows = [(tag, *(tag_cell(t, tag) for t in summary.targets)) for tag in names]
    return ["## Pass rate by tag", pipe_table(("tag", *(t.target for t in summary.targets)), rows)]


def _graded(summary: RunSummary) -> list[str]:
    parts = [
        (f"## {each.title}", pipe_table(each.headings, each.rows), escape(each.note)) for each in sections(summary)
    ]
    return [text for each in parts for text in each]


def _columns_table(summary: RunSummary, columns: Sequence[Column]) -> str:
    rows = [(t.target, *(c.cell(t) for c in columns)) for t in summary.targets]
    return pipe_table(("target", *(c.heading for c in columns)), rows)
