"""A comparison as Markdown: compare.md, all of it, and gate.md, the short comment on a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.compare.comparison import CompareReport, Comparison, Difference
from harness.report.compare.methods import methods
from harness.report.compare.sections import COLUMNS, one_sided, remarks
from harness.report.compare.verdicts import (
    candidate_of,
    describe_correct_cost,
    describe_flips,
    describe_shares,
    exploratory,
    flips_left_out,
    flips_listed,
    gated,
    headline,
    mark,
    metric_name,
    worst_first,
)
from harness.report.drawing.render import Picture
from harness.report.markdown import escape, pipe_table
from harness.report.wording import SIMULATED, sentence

BRIEF = ("difference", "margin", "verdict")
"""Columns of the comment."""
MOST_IDS = 20
MOST_IDS_TOLD = 5
MOST_FLIPS = 1_000
MOST_FLIPS_TOLD = 50
"""In the comment, which GitHub takes up to 65,536 characters of."""
HEADINGS = ("metric", *(column.heading for column in COLUMNS))


def render_markdown(report: CompareReport, pictures: Sequence[Picture], folder: str = "plots") -> str:
    """The whole comparison; pictures are referred to as `<folder>/<name>.png`."""
    parts = [
        f"# {escape(report.suite)}: {escape(mark(report.verdict))}",
        *_banners(report),
        *_verdicts(report),
        *(f"![{escape(p.title)}]({folder}/{p.name}.png)" for p in pictures),
    ]
    for c in worst_first(report):
        parts += _comparison(c)
    parts += _findings(report)
    parts += ["## How to read it", "\n".join(f"- **{escape(term)}**: {escape(text)}" for term, text in methods(report))]
    return "\n\n".join(parts) + "\n"


def render_comment(report: CompareReport, against: str) -> str:
    """The verdict, a table for each candidate, and what would settle what is open. `against`: the baseline used."""
    title = f"### {escape(mark(report.verdict))}: {escape(report.suite)}"
    parts = [title, *_banners(report), *_verdicts(report)]
    for c in worst_first(report):
        rows = gated(c)
        if len(report.comparisons) > 1:
            parts.append(f"**{escape(candidate_of(c))}**")
        columns = [column for column in COLUMNS if column.heading in BRIEF]
        table = [(metric_name(d.metric), *(column.cell(d) for column in columns)) for d in rows]
        parts.append(pipe_table(("metric", *BRIEF), table))
        lines = [*remarks(c, rows), _flips_line(c), c.drift.told, *one_sided(c, MOST_IDS_TOLD)]
        parts.append("\n".join(f"- {escape(line)}" for line in lines if line))
    parts += _findings(report)
    about = f"Baseline: {against}. {100 * report.level:g}% intervals, paired by prompt, Holm over {report.family}."
    parts.append(f"<sub>{escape(about)}</sub>")
    return "\n\n".join(part for part in parts if part) + "\n"


def _banners(report: CompareReport) -> list[str]:
    banners = []
    if report.simulated:
        banners.append(f"> **SIMULATED.** {SIMULATED[0].upper()}{SIMULATED[1:]}.")
    if not report.valid:
        banners.append("> **A run of these may not be believed, so neither may this comparison.** See the findings.")
    return banners


def _verdicts(report: CompareReport) -> list[str]:
    lines = [f"- **{escape(mark(c.verdict))}**: {escape(headline(c, report.level))}" for c in worst_first(report)]
    return ["\n".join(lines)] if lines else []


def _comparison(c: Comparison) -> list[str]:
    rows = gated(c)
    parts = [f"## {escape(candidate_of(c))}", pipe_table(HEADINGS, _rows(rows))]
    lines = [*remarks(c, rows), c.drift.told, describe_correct_cost(c), *one_sided(c, MOST_IDS)]
    parts.append("\n".join(f"- {escape(line)}" for line in lines if line))
    parts += ["### Prompts that changed", _flips(c)]
    if more := exploratory(c):
        parts += ["### Exploratory, decides nothing", pipe_table(HEADINGS, _rows(more))]
    return [part for part in parts if part]


def _rows(rows: Sequence[Difference]) -> list[tuple[str, ...]]:
    return [(metric_name(d.metric), *(column.cell(d) for column in COLUMNS)) for d in rows]


def _flips(c: Comparison) -> str:
    """Without the answers: those are on the page, where they can be folded away."""
    told = f"{describe_flips(c)[0].upper()}{describe_flips(c)[1:]}."
    if not c.flips:
        return told
    rows = [
        (flip.prompt_id, flip.direction, describe_shares(flip), ", ".join(flip.tags), flip.reason)
        for flip in c.flips[:MOST_FLIPS]
    ]
    table = pipe_table(("prompt", "change", "passed, baseline → candidate", "tags", "reason"), rows)
    return "\n\n".join(part for part in (told, table, flips_left_out(c, MOST_FLIPS).strip()) if part)


def _flips_line(c: Comparison) -> str:
    return f"{describe_flips(c)}; {flips_listed(c, MOST_FLIPS_TOLD)}" if c.flips else describe_flips(c)


def _findings(report: CompareReport) -> list[str]:
    if not report.findings:
        return []
    lines = [f"- {'**Invalid.** ' if f.invalidates else ''}{escape(sentence(f))}" for f in report.findings]
    return ["## Findings", "\n".join(lines)]
