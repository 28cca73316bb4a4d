"""A history as files: one self-contained page, and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from harness.analysis.history.history import METRICS, History, SuiteHistory
from harness.errors import StoreError
from harness.report.drawing.render import Picture, render_figure, save_pictures
from harness.report.drawing.style import house_style
from harness.report.history import figure
from harness.report.history import sections as changes
from harness.report.page import content_policy, data_uri, make_environment
from harness.report.wording import SIMULATED
from harness.store.files import write_atomically

PAGE = ".html"
PICTURES = (".png", ".svg")


def draw_history(history: History) -> list[Picture]:
    """One figure a suite, simulated and real apart; of suites without any figure none."""
    with house_style():
        return [
            render_figure(_name(suite, history.suites), figure.draw(suite)) for suite in history.suites if suite.trends
        ]


def render_page(history: History, pictures: Sequence[Picture]) -> str:
    """The page, figures embedded. Everything from the runs is escaped; styles are allowed by their hash alone."""
    css = files("harness.report").joinpath("templates", "page.css").read_text(encoding="utf-8")
    drawn = iter(pictures)
    return (
        make_environment()
        .get_template("history.html.j2")
        .render(
            policy=content_policy(css),
            css=Markup(css),
            sections=[(suite, next(drawn) if suite.trends else None) for suite in history.suites],
            unreadable=history.unreadable,
            simulated=SIMULATED,
            metrics=METRICS,
            changes=changes,
            address=data_uri,
        )
    )


def write_history(history: History, out: Path) -> list[Path]:
    """Write to `out`: a page (`.html`), one figure (`.png`, `.svg`), or a folder of both. The paths, the page first.

    StoreError: nothing to draw, a figure's file for several suites, or a file that cannot be written.
    """
    pictures = draw_history(history)
    try:
        if out.suffix in PICTURES:
            return [_write_figure(pictures, out)]
        page = out if out.suffix == PAGE else out / "history.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(page, render_page(history, pictures).encode())
        return [page] if page == out else [page, *save_pictures(pictures, out)]
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error.strerror}; choose another place with --out") from error


def _write_figure(pictures: Sequence[Picture], out: Path) -> Path:
    if len(pictures) != 1:
        why = f"there are {len(pictures)} of them ({', '.join(picture.name for picture in pictures)})"
        raise StoreError(f"{out}: holds one figure, and {why}; name a suite with --suite, or a folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, pictures[0].png if out.suffix == ".png" else pictures[0].svg)
    return out


def _name(suite: SuiteHistory, suites: Sequence[SuiteHistory]) -> str:
    """`history-quickstart`, `history-quickstart-simulated`: safe as a file's name, and its own."""
    names = [_slug(each) for each in suites]
    slug = _slug(suite)
    return slug if names.count(slug) == 1 else f"{slug}-{suites.index(suite) + 1}"


def _slug(suite: SuiteHistory) -> str:
    safe = "".join(c if c.isascii() and c.isalnum() else "-" for c in suite.suite.lower())[:40].strip("-")
    return f"history-{safe or 'suite'}" + ("-simulated" if suite.simulated else "")
