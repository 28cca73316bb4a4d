"""A report as one self-contained HTML page, under a policy that allows only its own style sheet and script."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.characters import printable, visible
from harness.report.html.cells import break_name, cell_class, cell_html, count_rows, html_columns, sort_value
from harness.report.html.embedding import embed_book
from harness.report.html.outline import outline, prompt_address, slug
from harness.report.section import Picture, Report
from harness.report.wording import SIMULATED, STAND_IN, simulated_title


def render_page(report: Report) -> str:
    """The report as HTML, with its figures embedded. Everything in the report is escaped.

    At most one section has a prompt browser. Without scripts the page shows everything else.
    """
    css, script = _template("page.css"), _template("page.js")
    book = next((section.book for section in report.sections if section.book), None)
    page = _environment().get_template("page.html.j2")
    return page.render(
        report=report,
        parts=outline(report.sections),
        title=simulated_title(report.title, report.simulated),
        policy=content_policy(css, script),
        css=Markup(css),
        script=Markup(script),
        book=book,
        prompt_ids=frozenset(prompt.id for prompt in book.prompts) if book else frozenset(),
        simulated=SIMULATED,
        stand_in=STAND_IN,
    )


def content_policy(css: str, script: str) -> str:
    """A Content-Security-Policy that allows this style sheet, this script, and images inside the page: nothing else.

    Nor may the script itself turn a string into markup or code (`require-trusted-types-for`).
    """
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(css)}'; script-src '{_digest(script)}'; "
        "require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none'; form-action 'none'"
    )


def data_uri(picture: Picture) -> str:
    """The figure's SVG as a `data:` URI. As an image it can neither run nor fetch anything."""
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.svg).decode()}"


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _template(name: str) -> str:
    return files("harness.report").joinpath("templates", name).read_text(encoding="utf-8")


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
        printable=printable,
        visible=visible,
        cell=cell_html,
        kind=cell_class,
        value=sort_value,
        html_columns=html_columns,
        rows=count_rows,
        address=data_uri,
        name=break_name,
        slug=slug,
        prompt_address=prompt_address,
        embed=embed_book,
    )
    return environment
