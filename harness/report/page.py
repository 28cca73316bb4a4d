"""A report as one self-contained HTML page without scripts, under a policy that blocks everything else."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.characters import printable, visible
from harness.report.section import Cell, Link, Mark, Name, Number, Picture, Report
from harness.report.wording import SIMULATED, STAND_IN, simulated_title, write_cell, write_interval, write_value


def render_page(report: Report) -> str:
    """The report as HTML, with its figures embedded. Everything in the report is escaped."""
    css = files("harness.report").joinpath("templates", "page.css").read_text(encoding="utf-8")
    page = _environment().get_template("page.html.j2")
    return page.render(
        report=report,
        title=simulated_title(report.title, report.simulated),
        policy=content_policy(css),
        css=Markup(css),
        simulated=SIMULATED,
        stand_in=STAND_IN,
    )


def content_policy(css: str) -> str:
    """A Content-Security-Policy that allows only this style sheet and images inside the page."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def data_uri(picture: Picture) -> str:
    """The figure's SVG as a `data:` URI. As an image it can neither run nor fetch anything."""
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.svg).decode()}"


def cell_html(cell: Cell) -> Markup:
    """An escaped value, with its interval in a span. A target's name may wrap after the model; a link is relative."""
    match cell:
        case Number() if interval := write_interval(cell):
            return Markup('{} <span class="interval">[{}]</span>').format(write_value(cell), interval)
        case Name():
            return break_name(cell.text)
        case Link():
            return Markup('<a href="{}">{}</a>').format(f"./{cell.address}", write_cell(cell))
    return Markup("{}").format(write_cell(cell))


def break_name(name: str) -> Markup:
    """An escaped name that wraps only after the model."""
    head, slash, tail = printable(name).partition("/")
    if not slash:
        return Markup("{}").format(head)
    return Markup('<span class="part">{}</span><span class="part">{}</span>').format(head + slash, tail)


def cell_class(cell: Cell) -> str:
    """The CSS class of a cell."""
    match cell:
        case Mark():
            return f"mark {cell.tone}"
        case Name():
            return "name"
        case Link():
            return "text"
    return "text" if isinstance(cell, str) else "number"


@cache
def _environment() -> Environment:
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
        printable=printable, visible=visible, cell=cell_html, kind=cell_class, address=data_uri, name=break_name
    )
    return environment
