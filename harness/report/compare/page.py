"""compare.html: one self-contained page without scripts, under the same policy as a run's report."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment
from markupsafe import Markup

from harness.analysis.compare.comparison import CompareReport, Comparison
from harness.analysis.counted import counted
from harness.characters import printable
from harness.report.compare import sections as compare_rows
from harness.report.compare.methods import methods
from harness.report.compare.verdicts import (
    candidate_of,
    describe_correct_cost,
    describe_flips,
    describe_shares,
    exploratory,
    flips_left_out,
    gated,
    headline,
    mark,
    metric_name,
    worst_first,
)
from harness.report.drawing.render import Picture
from harness.report.page import content_policy, data_uri, make_environment
from harness.report.run.answers import cut
from harness.report.wording import MISSING, SIMULATED

SHEETS = ("page.css", "compare.css")
MOST_CHARACTERS = 2000
"""Of an answer."""
MOST_IDS = 50
MOST_FLIPS = 1_000


def render_html(report: CompareReport, pictures: Sequence[Picture]) -> str:
    """The page, figures embedded. Everything from the runs is escaped; styles are allowed by their hash alone."""
    css = "".join(files("harness.report").joinpath("templates", name).read_text(encoding="utf-8") for name in SHEETS)
    return (
        _environment()
        .get_template("compare.html.j2")
        .render(
            report=report,
            comparisons=worst_first(report),
            policy=content_policy(css),
            css=Markup(css),
            pictures=[(picture, data_uri(picture)) for picture in pictures],
            simulated=SIMULATED,
            methods=methods(report),
            columns=compare_rows.COLUMNS,
            headline=lambda c: headline(c, report.level),
            candidate=candidate_of,
            gated=gated,
            exploratory=exploratory,
            describe_flips=describe_flips,
            flips_left_out=lambda c: flips_left_out(c, MOST_FLIPS).strip(),
            most_flips=MOST_FLIPS,
            remarks=_remarks,
            counted=counted,
        )
    )


def _remarks(c: Comparison) -> list[str]:
    lines = [printable(c.drift.told), describe_correct_cost(c), *compare_rows.one_sided(c, MOST_IDS)]
    return [*compare_rows.remarks(c, gated(c)), *(line for line in lines if line)]


def _answer(text: str | None) -> str:
    return MISSING if text is None else cut(text, MOST_CHARACTERS)


@cache
def _environment() -> Environment:
    environment = make_environment()
    environment.filters.update(
        answer=_answer, mark=mark, metric=metric_name, shares=describe_shares, thousands=lambda n: f"{n:,}"
    )
    return environment
