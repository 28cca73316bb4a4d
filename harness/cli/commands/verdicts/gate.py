"""`harness gate`: the verdict on a run as an exit code, for a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import CandidateOption, JsonOption, QuietOption, Rerun, RunArgument, TrustedEndpointOption
from harness.cli.places import DEFAULT_RUN, local_path, local_run, stored_run

if TYPE_CHECKING:
    from harness.cli.running.gate.files import GateOutput

    Judge = Callable[[Path, Sequence[str], GateOutput], int]
    """Judges the run in a folder, for these candidates; returns the exit code."""

BaselineOption = Annotated[
    str | None,
    typer.Option(
        metavar="RUN|TARGET",
        help="A run, a target of this run, or the name of a baseline. Default: the baseline set for the suite, or "
        "else its baseline target.",
    ),
]
AgainstOption = Annotated[
    str | None,
    typer.Option(
        metavar="history",
        help="Compare each target with what its own last runs predict, instead of with a baseline.",
    ),
]
LastOption = Annotated[
    int | None, typer.Option(metavar="N", help="With --against history: look at the last N valid runs. Default: 20.")
]
ConfirmOption = Annotated[
    bool,
    typer.Option(
        "--confirm",
        help="Ask again, both targets in one run, before reporting `worse`, and about what two runs at two times "
        "leave open. With aws this costs money.",
    ),
]
SuiteOption = Annotated[
    Path | None,
    typer.Option(
        help="With --confirm: the suite file, if its prompts have documents or its checks use functions.",
        parser=local_path,
    ),
]
RerunBudgetOption = Annotated[
    float | None,
    typer.Option(metavar="USD", min=0.000001, help="With --confirm: spend at most this. Overrides the suite's budget."),
]
JunitOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Also write the JUnit report to this file.", parser=local_path)
]
MarkdownOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Also write the Markdown comment to this file.", parser=local_path)
]
WebhookOption = Annotated[
    str | None,
    typer.Option(
        metavar="[slack|teams|json]",
        help="Post the verdict to the address in HARNESS_WEBHOOK_URL, as this kind of message.",
    ),
]
ReportUrlOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="With --webhook: where the run's folder, or its page, can be seen; the message links there."
    ),
]


def gate(
    run: RunArgument = DEFAULT_RUN,
    baseline: BaselineOption = None,
    candidate: CandidateOption = None,
    against: AgainstOption = None,
    last: LastOption = None,
    confirm: ConfirmOption = False,
    suite: SuiteOption = None,
    endpoint: TrustedEndpointOption = None,
    budget: RerunBudgetOption = None,
    junit: JunitOption = None,
    markdown: MarkdownOption = None,
    webhook: WebhookOption = None,
    report_url: ReportUrlOption = None,
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
    HARNESS_WEBHOOK_URL=https://hooks.slack.com/… harness gate --webhook slack --report-url https://ci.example/run/
    harness gate s3://my-bench/results/latest --against history

    Writes junit.xml, gate.md (the comment) and all files of `harness compare` into the run's folder, and appends the
    comment to the file that GITHUB_STEP_SUMMARY names. With --confirm these files are written before anything is sent.
    If the rerun fails, the verdict stays `worse`, marked as not confirmed, with the reason. For a run in a bucket, the
    files are uploaded to it.

    With --against history, for a run on a schedule: is today's run what the last runs of the suite predict? It needs
    five valid runs with the same prompts, load and endpoint, and writes against-history.html, .md and .json instead.

    Exit codes: 0 better or no worse · 1 worse · 2 bad input · 3 inconclusive · 4 a run is invalid · 130 interrupted.
    """
    from harness.cli.running.gate.files import GateOutput
    from harness.cli.running.gate.notify import make_notification

    if not confirm:
        _refuse_unused({"--suite": suite, "--endpoint": endpoint, "--budget": budget})
    if against is not None or last is not None:
        _refuse_mixed(against, baseline=baseline, confirm=confirm, last=last)
        judge = _by_history(last)
    else:
        rerun = Rerun(suite_file=suite, endpoint=endpoint, budget_usd=budget, quiet=quiet) if confirm else None
        judge = _by_baseline(baseline, rerun)
    notification = make_notification(webhook, report_url)
    output = GateOutput(junit=junit, markdown=markdown, as_json=json_output, notification=notification)
    folder = local_run(run, compared=True)
    raise typer.Exit(stored_run(run, folder, judge(folder, candidate or [], output)))


def _by_history(last: int | None) -> Judge:
    from harness.cli.running.gate.history import gate_with_history

    return partial(gate_with_history, last=last)


def _by_baseline(baseline: str | None, rerun: Rerun | None) -> Judge:
    from harness.cli.running.gate.baseline import gate_with_baseline

    return partial(gate_with_baseline, baseline=baseline, rerun=rerun)


def _refuse_unused(options: Mapping[str, object]) -> None:
    """CompareError: an option of the rerun is given, but no rerun is asked for."""
    from harness.errors import CompareError

    for option, value in options.items():
        if value is not None:
            raise CompareError(
                f"{option} {value}: applies only to the rerun of --confirm; add --confirm or leave it out"
            )


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
