"""`harness gate`: the verdict on a run as an exit code, for a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.places import local_path

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def gate(
    run: Annotated[
        str | None,
        typer.Argument(help="A run: its folder or id. Default: the latest under results/.", show_default=False),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|TARGET",
            help="A run, a target of this one, or a kept baseline's name. Default: the kept baseline, else the "
            "suite's baseline target.",
            show_default=False,
        ),
    ] = None,
    candidate: Annotated[
        list[str] | None,
        typer.Option(metavar="TARGET", help="Only this target; may be given several times.", show_default=False),
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Ask again before `worse` is reported. On aws that costs money.")
    ] = False,
    suite: Annotated[
        Path | None,
        typer.Option(
            help="--confirm: the suite file, needed where prompts have documents or check functions.",
            show_default=False,
            parser=local_path,
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(metavar="USD", min=0.000001, help="--confirm: overrides the suite's.", show_default=False),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A copy of junit.xml.", show_default=False, parser=local_path)
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A copy of gate.md, the comment.", show_default=False, parser=local_path),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print compare.json.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="--confirm: no progress, no summary of the second run.")
    ] = False,
) -> None:
    """Decide by the suite's `gate:` whether a run is as good as its baseline, and say so by the exit code.

    \b
    harness gate
    harness gate RUN --baseline claude-haiku-4-5/global/converse
    harness gate RUN --baseline LAST_RUN --confirm
    harness gate --junit junit.xml --markdown comment.md

    Writes junit.xml, gate.md and all that `harness compare` writes into the run's folder; the comment also goes to
    the file that GITHUB_STEP_SUMMARY names.

    Exit codes: 0 better or equivalent · 1 worse · 2 bad input · 3 inconclusive · 4 a run is invalid.
    """
    import os

    from harness.analysis.gate import exit_code
    from harness.cli.comparing import compare_sides, print_and_write
    from harness.cli.sides import choose, find_run
    from harness.report.compare_markdown import render_comment
    from harness.report.junit import render_junit
    from harness.report.wording import printable
    from harness.store.files import one_writer

    folder = find_run(run)
    sides, against = choose(folder, baseline, candidate or [])
    typer.echo(printable(f"baseline: {against}"), err=True)
    report = compare_sides(sides)
    if confirm and report.valid and report.verdict == "worse":
        from harness.cli.confirm import Rerun, confirm_by_rerun

        report = confirm_by_rerun(report, sides, Rerun(suite_file=suite, budget_usd=budget, quiet=quiet))
    comment = render_comment(report, against)
    with one_writer(folder.path):
        _write([folder.path / "junit.xml", junit], render_junit(report, against))
        _write([folder.path / "gate.md", markdown], comment.encode())
    if summary := os.environ.get(STEP_SUMMARY):
        with open(summary, "a", encoding="utf-8") as file:
            file.write(comment)
    print_and_write(report, folder.path, as_json=json_output)
    raise typer.Exit(exit_code(report))


def _write(paths: list[Path | None], content: bytes) -> None:
    from harness.store.files import write_atomically

    for path in paths:
        if path is not None:
            write_atomically(path, content)
