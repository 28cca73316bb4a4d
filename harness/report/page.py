"""report.html: one self-contained page without scripts, under a policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.analysis.summary.samples import Answer
from harness.analysis.summary.summary import RunSummary
from harness.characters import printable
from harness.report.drawing.render import Picture
from harness.report.run import sections as table
from harness.report.run.answers import bound
from harness.report.run.graded import sections
from harness.report.run.methods import methods
from harness.report.wording import SIMULATED, date_of, sentence, usd, value_of, verdict_of


def render_html(summary: RunSummary, pictures: Sequence[Picture], answers: Iterable[Answer] = ()) -> str:
    """The page, figures embedded. Everything from the run is escaped; styles are allowed by their hash alone."""
    css = files("harness.report").joinpath("templates", "page.css").read_text(encoding="utf-8")
    page = _environment().get_template("page.html.j2")
    return page.render(
        summary=summary,
        policy=content_policy(css),
        css=Markup(css),
        pictures=[(picture, data_uri(picture)) for picture in pictures],
        samples=bound(answers),
        simulated=SIMULATED,
        methods=methods(summary),
        tags=table.tags(summary),
        graded=sections(summary),
        table=table,
    )


def content_policy(css: str) -> str:
    """A Content-Security-Policy for exactly this style sheet and for images inside the page."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def data_uri(picture: Picture) -> str:
    """The figure's SVG as a `data:` address: as an image it can neither run nor fetch anything."""
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.svg).decode()}"


def mark_breaks(name: str) -> Markup:
    """A target's name, escaped, its model and the rest kept together where a line has room."""
    head, slash, tail = printable(name).partition("/")
    return Markup('<span class="part">{}</span><span class="part">{}</span>').format(head + slash, tail)


def mark_interval(cell: str) -> Markup:
    """A cell, escaped, with its `[low, high]` set apart."""
    value, bracket, rest = cell.partition(" [")
    if not bracket:
        return Markup("{}").format(cell)
    return Markup('{} <span class="interval">[{}</span>').format(value, rest)


def make_environment() -> Environment:
    """Templates with autoescape on, and the filters that every page needs."""
    environment = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        printable=printable,
        name=mark_breaks,
        cell=mark_interval,
        usd=usd,
        date=date_of,
        sentence=sentence,
        value=value_of,
        verdict=verdict_of,
    )
    return environment


@cache
def _environment() -> Environment:
    return make_environment()
