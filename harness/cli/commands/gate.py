"""`harness gate`: the verdict on a run as an exit code, for a pipeline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from harness.characters import printable
from harness.cli.options import CandidateOption, JsonOption, QuietOption, RunArgument, TrustedEndpointOption
from harness.cli.places import LATEST, local_path

if TYPE_CHECKING:
    from harness.analysis.compare.comparison import CompareReport
    from harness.cli.running.compare_runs import Sides
    from harness.cli.running.confirm import Rerun

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def gate(
    run: RunArgument = LATEST,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|TARGET",
            help="A run, a target of this run, or the name of a baseline. Default: the baseline set for the suite, or "
            "else its baseline target.",
        ),
    ] = None,
    candidate: CandidateOption = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="history",
            help="Compare each target with what its own last runs predict, instead of with a baseline.",
        ),
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(metavar="N", help="With --against history: look at the last N valid runs. Default: 20."),
    ] = None,
    confirm: Annotated[
        bool,
        typer.Option(
            "--confirm",
            help="Ask again, both targets in one run, before reporting `worse`, and about what two runs at two times "
            "leave open. With aws this costs money.",
        ),
    ] = False,
    suite: Annotated[
        Path | None,
        typer.Option(
            help="With --confirm: the suite file, if its prompts have documents or its checks use functions.",
            parser=local_path,
        ),
    ] = None,
    endpoint: TrustedEndpointOption = None,
    budget: Annotated[
        float | None,
        typer.Option(
            metavar="USD", min=0.000001, help="With --confirm: spend at most this. Overrides the suite's budget."
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the JUnit report to this file.", parser=local_path)
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the Markdown comment to this file.", parser=local_path),
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Exit with a verdict: is the run as good as its baseline?

    `gate:` in the suite sets the margins.

    \b
    harness gate
    harness gate RUN --baseline claude-haiku-4-5/global/converse
    harness gate latest --baseline LAST_RUN --confirm
    harness gate --against history
    harness gate --junit junit.xml --markdown comment.md

    Writes junit.xml, gate.md (the comment) and all files of `harness compare` into the run's folder, and appends the
    comment to the file that GITHUB_STEP_SUMMARY names. With --confirm these files are written before anything is sent.
    If the rerun fails, the verdict stays `worse`, marked as not confirmed, with the reason.

    With --against history, for a run on a schedule: is today's run what the last runs of the suite predict? It needs
    five valid runs with the same prompts, load and endpoint, and writes against-history.html, .md and .json instead.

    Exit codes: 0 better or no worse · 1 worse · 2 bad input · 3 inconclusive · 4 a run is invalid · 130 interrupted.
    """
    from harness.analysis.compare.gate import exit_code
    from harness.cli.running.compare_runs import choose_sides, compare_sides, print_comparison
    from harness.store.opening import open_run

    if against is not None or last is not None:
        _refuse_mixed(against, baseline=baseline, confirm=confirm, last=last)
        _gate_against_history(_Files(run, junit=junit, markdown=markdown), last, candidate or [], as_json=json_output)
    folder = open_run(run)
    sides, against = choose_sides(folder, baseline, candidate or [])
    typer.echo(printable(f"baseline: {against}"), err=True)
    files = _Files(folder.path, against=against, junit=junit, markdown=markdown)
    if confirm:
        from harness.cli.running.confirm import Rerun

        how = Rerun(suite_file=suite, endpoint=endpoint, budget_usd=budget, quiet=quiet)
        report, interrupted = _compare_and_confirm(sides, how, files)
    else:
        report, interrupted = compare_sides(sides), False
        files.write(report)
    print_comparison(report, files.page, as_json=json_output)
    if interrupted:
        raise KeyboardInterrupt
    files.check()
    raise typer.Exit(exit_code(report))


def _refuse_mixed(against: str | None, *, baseline: str | None, confirm: bool, last: int | None) -> None:
    """CompareError: --against is not `history`, or stands beside an option that has no meaning with it."""
    from harness.errors import CompareError

    if against is None:
        raise CompareError(f"--last {last}: needs --against history")
    if against != "history":
        raise CompareError(f"--against {against}: must be `history`; name a run or a target with --baseline")
    if baseline is not None:
        raise CompareError("--against history takes no --baseline: each target is compared with its own past runs")
    if confirm:
        raise CompareError("--against history takes no --confirm: run the suite again, and gate that run as well")


def _gate_against_history(files: _Files, last: int | None, targets: list[str], *, as_json: bool) -> NoReturn:
    from harness.analysis.against_history.rows import LAST
    from harness.cli.running.gate_history import exit_code, judge_run, print_judged
    from harness.report.against_history.junit import render_history_junit
    from harness.report.against_history.sections import history_gate_brief
    from harness.report.markdown import render_markdown
    from harness.report.write import write_against_history

    report = judge_run(files.folder, last=LAST if last is None else last, targets=targets)
    page = write_against_history(files.folder, report)
    files.put(render_history_junit(report), render_markdown(history_gate_brief(report), top=3).encode())
    print_judged(report, page, as_json=as_json)
    files.check()
    raise typer.Exit(exit_code(report))


def _compare_and_confirm(sides: Sides, how: Rerun, files: _Files) -> tuple[CompareReport, bool]:
    """Compare, rerun what is worse or open, and write the files; returns the report and whether it was interrupted.

    If a rerun is impossible, this says so before it compares anything.
    """
    from harness.cli.running.compare_runs import compare_sides
    from harness.cli.running.confirm import confirm_by_rerun, plan_rerun, wants_rerun

    plan = plan_rerun(sides, how)
    report = compare_sides(sides)
    if wants_rerun(report):
        return confirm_by_rerun(report, sides, plan, how, files.write)
    files.write(report)
    return report, False


class _Files:
    """The files that a gate writes; each write replaces the last."""

    def __init__(self, folder: Path, *, against: str = "", junit: Path | None, markdown: Path | None) -> None:
        self.folder = folder
        self._against = against
        self._junit = junit
        self._markdown = markdown
        self._step_summary = _StepSummary(os.environ.get(STEP_SUMMARY))
        self.page = folder
        self.lost: dict[Path, str] = {}
        """Path of a copy that cannot be written → error message."""

    def write(self, report: CompareReport) -> None:
        """Write all files. StoreError: one in the run's folder cannot be written; copies that fail are in `lost`."""
        from harness.cli.running.compare_runs import write_files
        from harness.report.compare.junit import render_junit
        from harness.report.compare.sections import gate_comment
        from harness.report.markdown import render_markdown

        junit = render_junit(report, self._against)
        comment = render_markdown(gate_comment(report, self._against), top=3).encode()
        self.put(junit, comment)
        self.page = write_files(report, self.folder)

    def put(self, junit: bytes, comment: bytes) -> None:
        """junit.xml and gate.md in the folder and wherever else they are asked for."""
        from harness.store.files import one_writer, write_atomically

        with one_writer(self.folder):
            write_atomically(self.folder / "junit.xml", junit)
            write_atomically(self.folder / "gate.md", comment)
        self._copy(self._junit, junit)
        self._copy(self._markdown, comment)
        self._step_summary.write(comment)

    def check(self) -> None:
        """StoreError: a copy was lost."""
        from harness.errors import StoreError

        if self.lost:
            raise StoreError("\n".join(self.lost.values()))

    def _copy(self, path: Path | None, content: bytes) -> None:
        from harness.errors import StoreError
        from harness.store.files import write_atomically

        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        except (StoreError, OSError) as error:
            self.lost[path] = str(error) if isinstance(error, StoreError) else f"{path}: {error.strerror}"


class _StepSummary:
    """The summary file of a CI step, which other tools may have written to before."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._before = os.path.getsize(path) if path and os.path.isfile(path) else 0

    def write(self, comment: bytes) -> None:
        """Append the comment in place of an earlier one. If the file cannot be written, only warn."""
        if not self._path:
            return
        try:
            with open(self._path, "ab") as file:
                if os.path.isfile(self._path):
                    file.truncate(self._before)
                file.write(comment)
        except OSError as error:
            typer.echo(f"warning: {STEP_SUMMARY} ({self._path}) cannot be written: {error.strerror}", err=True)
