"""Writes the reports of a run, a comparison, a history and a sweep as files. Functions that write raise StoreError."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from harness.analysis.against_history.rows import HistoryReport
from harness.analysis.answers.book import AnswerBook
from harness.analysis.answers.load import load_book
from harness.analysis.compare.comparison import CompareReport
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.history import History, SuiteHistory
from harness.analysis.loader import load_run
from harness.analysis.summary.judges import add_judging
from harness.analysis.summary.summarise import summarise
from harness.analysis.summary.summary import RunSummary, write_summary
from harness.analysis.sweep import SweepReport
from harness.errors import StoreError
from harness.report.against_history import figure as against_history_figure
from harness.report.against_history.sections import history_gate_report
from harness.report.compare import forest
from harness.report.compare.sections import compare_report
from harness.report.drawing.forks import map_in_forks
from harness.report.drawing.frame import RunView, make_view
from harness.report.drawing.render import render_figure, save_pictures
from harness.report.drawing.style import figure_style
from harness.report.figures import FIGURES
from harness.report.history import figure as history_figure
from harness.report.history.sections import history_report, key_of
from harness.report.markdown import render_markdown
from harness.report.page import render_page
from harness.report.plots import ALL_PLOTS, DEFAULT_FORMATS, FORMATS, Plots
from harness.report.run.facts import facts_section
from harness.report.run.sections import run_report
from harness.report.run.verdict import add_verdicts
from harness.report.section import Picture, Report
from harness.report.sweep import figure as sweep_figure
from harness.report.sweep.sections import sweep_report
from harness.scoring.judgements import read_judgements
from harness.store.files import make_folder, one_writer, write_atomically, write_together
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite


def report_run(folder: RunFolder, suite: Suite, plots: Plots = ALL_PLOTS) -> tuple[RunSummary, Path]:
    """Summarise a run's scored attempts and write its reports; returns the summary and the page."""
    run = FinishedRun(manifest=folder.read_manifest(), suite=suite, data=load_run(folder), folder=folder)
    data = run.data
    summary = summarise(run.manifest, suite, data)
    summary = add_judging(summary, suite, read_judgements(folder.judgements_path), data.columns)
    summary, comparison = add_verdicts(summary, run)
    pictures = draw_run(make_view(summary, data.columns, run), plots)
    content = run_report(
        summary,
        pictures,
        comparison=comparison,
        book=load_book(folder, suite),
        run=facts_section(run.manifest, suite, data.columns),
    )
    write_summary(folder.summary_path, summary)
    return summary, write_run(folder.path, content, pictures)[0]


def write_run(folder: Path, content: Report, pictures: Sequence[Picture]) -> list[Path]:
    """Write report.html, report.md and plots/*.png|svg|pdf into `folder`; returns their paths, the page first.

    The page is put into place last, so that nobody sees a new one beside old figures.
    """
    page, text = folder / "report.html", folder / "report.md"
    contents = {text: render_markdown(content).encode(), page: render_page(content).encode()}
    plots = save_pictures(list(pictures), folder / "plots", names=FIGURES)
    write_together(contents)
    return [page, text, *plots]


def draw_run(view: RunView, plots: Plots = ALL_PLOTS) -> list[Picture]:
    """The wanted figures that the run has data for, in reading order; empty without measured requests."""
    if not view.targets:
        return []
    wanted = [name for name in FIGURES if plots.has(name)]
    pictures = map_in_forks(partial(draw_figure, view=view, formats=plots.formats), wanted)
    return [picture for picture in pictures if picture is not None]


def draw_figure(name: str, view: RunView, formats: Sequence[str] = DEFAULT_FORMATS) -> Picture | None:
    """One figure of a run, by its name in FIGURES, with its values and its description; None if it has no data."""
    module = FIGURES[name]
    with figure_style():
        figure = module.draw(view)
        if figure is None:
            return None
        return render_figure(name, figure, formats, description=module.describe(view), table=module.table(view))


def write_comparison(
    folder: Path, report: CompareReport, book: AnswerBook | None = None, plots: Plots = ALL_PLOTS
) -> list[Path]:
    """Write compare.html, compare.md, compare.json and plots/forest.png|svg|pdf; returns their paths, the page first.

    `book`: the answers of both sides, for the page. If another process is writing into the same folder, this one waits.
    """
    pictures = draw_comparison(report, plots.formats)
    content = compare_report(report, pictures, book)
    texts = {
        "compare.json": comparison_json(report),
        "compare.md": render_markdown(content),
        "compare.html": render_page(content),
    }
    try:
        make_folder(folder)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be created: {error.strerror}; choose another folder with --out") from error
    with one_writer(folder):
        saved = save_pictures(pictures, folder / "plots", names=["forest"])
        write_together({folder / name: text.encode() for name, text in texts.items()})
        return [*(folder / name for name in reversed(texts)), *saved]


def draw_comparison(report: CompareReport, formats: Sequence[str] = DEFAULT_FORMATS) -> list[Picture]:
    """The forest plot; empty without comparisons."""
    if not report.comparisons:
        return []
    described, table = forest.describe(report), forest.table(report)
    with figure_style():
        return [render_figure("forest", forest.draw(report), formats, description=described, table=table)]


def comparison_json(report: CompareReport) -> str:
    """compare.json, indented."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def write_against_history(folder: Path, report: HistoryReport) -> Path:
    """Write against-history.html, .md and .json and plots/against-history.png|svg; returns the page. StoreError."""
    pictures = draw_against_history(report)
    content = history_gate_report(report, pictures)
    texts = {
        "against-history.json": msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n",
        "against-history.md": render_markdown(content),
        "against-history.html": render_page(content),
    }
    with one_writer(folder):
        save_pictures(pictures, folder / "plots")
        write_together({folder / name: text.encode() for name, text in texts.items()})
    return folder / "against-history.html"


def draw_against_history(report: HistoryReport) -> list[Picture]:
    """Past runs, prediction and today's point of each metric; empty without past runs."""
    if not against_history_figure.shown_rows(report):
        return []
    described, table = against_history_figure.describe(report), against_history_figure.table(report)
    with figure_style():
        figure = against_history_figure.draw(report)
        return [render_figure("against-history", figure, description=described, table=table)]


def write_sweep_report(folder: RunFolder, suite: Suite, report: SweepReport, plots: Plots = ALL_PLOTS) -> Path:
    """Write sweep.md and plots/sweep.png|svg|pdf; returns the path of sweep.md."""
    data = load_run(folder)
    view = make_view(summarise(folder.read_manifest(), suite, data), data.columns)
    described, table = sweep_figure.describe(report), sweep_figure.table(report)
    with figure_style():
        figure = sweep_figure.draw(view, report)
        picture = render_figure("sweep", figure, plots.formats, description=described, table=table)
    save_pictures([picture], folder.path / "plots")
    write_atomically(folder.path / "sweep.md", render_markdown(sweep_report(report, picture)).encode())
    return folder.path / "sweep.md"


def write_history(history: History, out: Path, plots: Plots = ALL_PLOTS) -> list[Path]:
    """Write `out`: a page (`.html`), one figure (`.png`, `.svg`, `.pdf`) or a folder of both.

    Returns the paths, the page first. `plots`: the formats of the figures in a folder.
    """
    kind = out.suffix.removeprefix(".")
    pictures = draw_history(history, (kind,) if kind in FORMATS else plots.formats)
    try:
        if kind in FORMATS:
            return [_write_figure(list(pictures.values()), out)]
        page = out if out.suffix == ".html" else out / "history.html"
        make_folder(page.parent)
        saved = [] if page == out else save_pictures(list(pictures.values()), out)
        write_atomically(page, render_page(history_report(history, pictures)).encode())
        return [page, *saved]
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error.strerror}; choose another path with --out") from error


def draw_history(history: History, formats: Sequence[str] = DEFAULT_FORMATS) -> dict[str, Picture]:
    """`key_of` a suite → its figure, for every suite with trends."""
    with figure_style():
        return {
            key_of(suite): render_figure(
                _name(suite, history.suites),
                history_figure.draw(suite),
                formats,
                description=history_figure.describe(suite),
                table=history_figure.table(suite),
            )
            for suite in history.suites
            if suite.trends
        }


def _write_figure(pictures: Sequence[Picture], out: Path) -> Path:
    if len(pictures) != 1:
        named = ", ".join(picture.name for picture in pictures) or "none"
        raise StoreError(
            f"{out}: can hold only one figure, but there are {len(pictures)} ({named}); choose a suite with --suite, "
            "or write to a folder"
        )
    make_folder(out.parent)
    write_atomically(out, pictures[0].content(out.suffix.removeprefix(".")))
    return out


def _name(suite: SuiteHistory, suites: Sequence[SuiteHistory]) -> str:
    """A unique and safe file name: `history-quickstart`, `history-quickstart-simulated`."""
    names = [_slug(each) for each in suites]
    slug = _slug(suite)
    return slug if names.count(slug) == 1 else f"{slug}-{suites.index(suite) + 1}"


def _slug(suite: SuiteHistory) -> str:
    safe = "".join(c if c.isascii() and c.isalnum() else "-" for c in suite.suite.lower())[:40].strip("-")
    return f"history-{safe or 'suite'}" + ("-simulated" if suite.simulated else "")
