"""Writes the reports of a run, a comparison, a history and a sweep as files. Functions that write raise StoreError."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from harness.analysis.against_history.rows import HistoryReport
from harness.analysis.columns import Columns
from harness.analysis.compare.comparison import CompareReport
from harness.analysis.history import History, SuiteHistory
from harness.analysis.loader import load_run
from harness.analysis.summary.judges import add_judging
from harness.analysis.summary.samples import Answer, load_samples
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
from harness.report.run.sections import run_report
from harness.report.section import Picture
from harness.report.sweep import figure as sweep_figure
from harness.report.sweep.sections import sweep_report
from harness.scoring.judgements import read_judgements
from harness.store.files import one_writer, write_atomically
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite


def report_run(folder: RunFolder, suite: Suite, plots: Plots = ALL_PLOTS) -> tuple[RunSummary, Path]:
    """Summarise a run's scored attempts and write its reports; returns the summary and the page."""
    data = load_run(folder)
    summary = summarise(folder.read_manifest(), suite, data)
    summary = add_judging(summary, suite, read_judgements(folder.judgements_path), data.columns)
    write_summary(folder.summary_path, summary)
    page, *_ = write_run(folder.path, summary, data.columns, load_samples(folder), plots)
    return summary, page


def write_run(
    folder: Path,
    summary: RunSummary,
    columns: Mapping[str, Columns],
    answers: Iterable[Answer] = (),
    plots: Plots = ALL_PLOTS,
) -> list[Path]:
    """Write report.html, report.md and plots/*.png|svg|pdf into `folder`; returns their paths, the page first."""
    pictures = draw_run(make_view(summary, columns), plots)
    page, text = folder / "report.html", folder / "report.md"
    write_atomically(page, render_page(run_report(summary, pictures, answers)).encode())
    write_atomically(text, render_markdown(run_report(summary, pictures)).encode())
    return [page, text, *save_pictures(pictures, folder / "plots", names=FIGURES)]


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


def write_comparison(folder: Path, report: CompareReport, plots: Plots = ALL_PLOTS) -> list[Path]:
    """Write compare.html, compare.md, compare.json and plots/forest.png|svg|pdf; returns their paths, the page first.

    If another process is writing into the same folder, this one waits.
    """
    pictures = draw_comparison(report, plots.formats)
    content = compare_report(report, pictures)
    texts = {
        "compare.html": render_page(content),
        "compare.md": render_markdown(content),
        "compare.json": comparison_json(report),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be created: {error.strerror}; choose another folder with --out") from error
    with one_writer(folder):
        for name, text in texts.items():
            write_atomically(folder / name, text.encode())
        return [*(folder / name for name in texts), *save_pictures(pictures, folder / "plots", names=["forest"])]


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
        "against-history.html": render_page(content),
        "against-history.md": render_markdown(content),
        "against-history.json": msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n",
    }
    with one_writer(folder):
        for name, text in texts.items():
            write_atomically(folder / name, text.encode())
        save_pictures(pictures, folder / "plots")
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
        page.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(page, render_page(history_report(history, pictures)).encode())
        return [page] if page == out else [page, *save_pictures(list(pictures.values()), out)]
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
    out.parent.mkdir(parents=True, exist_ok=True)
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
