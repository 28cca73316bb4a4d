"""A sweep in words, for the terminal and for Markdown: the sentence of each knee, and the table of its steps."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.analysis.metrics import METRICS
from harness.analysis.summary.summary import Quantiles
from harness.analysis.sweep import SweepReport, SweepStep, TargetSweep
from harness.characters import printable
from harness.report.markdown import escape
from harness.report.wording import SIMULATED, percent, sentence, significant

EARLY = "*"
EARLY_NOTE = "* more requests had missed than may, so the rest of the step was not sent"
LATENCIES = tuple(METRICS[key].label for key in ("ttft_p50", "ttft_p95", "e2e_p95"))
HEADINGS = ("offered", "met", "good", *LATENCIES, "throttled", "failed", "n")


def objective_of(report: SweepReport) -> str:
    """`95 % of requests with TTFT ≤ 2 s and E2E ≤ 6 s`."""
    slo = report.objective.slo
    limits = [("TTFT", slo.ttft_s), ("E2E", slo.e2e_s)]
    told = " and ".join(f"{name} ≤ {limit:g} s" for name, limit in limits if limit is not None)
    return f"{100 * report.objective.share:g}% of requests with {told}"


def level_of(report: SweepReport, level: float) -> str:
    """`12 req/s`, or `8 streams`."""
    return f"{level:g} req/s" if report.by == "rate" else f"{level:g} stream{'' if level == 1 else 's'}"


def sentences(report: SweepReport) -> list[str]:
    """One sentence for each target, the highest knee first."""
    ordered = sorted(report.targets, key=lambda each: -(each.met or 0.0))
    return [_sentence(report, each) for each in ordered]


def headline(report: SweepReport) -> str:
    """The knees of the two that take the most, in one line."""
    known = sorted((each for each in report.targets if each.met is not None), key=lambda each: -(each.met or 0.0))
    if not known:
        return "No target is known to meet the SLO at any level of this sweep"
    knees = [f"{each.target} up to {level_of(report, each.met or 0.0)}" for each in known]
    others = "" if len(report.targets) <= 2 else f"; {len(report.targets) - 2} others less"
    return f"Within the SLO: {', '.join(knees[:2])}{others}"


def _sentence(report: SweepReport, each: TargetSweep) -> str:
    match each.ending:
        case "below":
            assert each.missed is not None
            return f"{each.target} does not meet the SLO even at {level_of(report, each.missed)}{_why(each)}"
        case "at_least":
            assert each.met is not None
            return f"{each.target} meets the SLO up to the top of the sweep, {level_of(report, each.met)}"
        case "found":
            assert each.met is not None
            assert each.missed is not None
            met, missed = level_of(report, each.met), level_of(report, each.missed)
            return f"{each.target} meets the SLO up to {met}; at {missed} it does not{_why(each)}"
        case "refused":
            return f"{each.target} answered no request at all"
        case _:
            met = f"met it at {level_of(report, each.met)}" if each.met is not None else "no level is known to meet it"
            return f"{each.target}: the search did not end; {met}"


def _why(each: TargetSweep) -> str:
    """What most of the misses at the knee's other side were."""
    step = next((step for step in each.steps if step.outcome.level == each.missed), None)
    if step is not None and step.outcome.quota_per_s is not None:
        return f" (the suite's quota lets {significant(step.outcome.quota_per_s)} req/s through for long)"
    if step is None or not step.outcome.missed:
        return ""
    name = next(iter(step.outcome.missed))
    return f" ({_MISSES.get(name, name)})"


_MISSES = {"ttft": "TTFT too long", "e2e": "E2E too long"}


def cells(report: SweepReport, step: SweepStep) -> Sequence[str]:
    """A row of a target's table, under HEADINGS."""
    outcome = step.outcome
    return (
        level_of(report, outcome.level),
        "yes"
        if outcome.met
        else "quota"
        if outcome.quota_per_s is not None
        else "client"
        if outcome.client_limited
        else "no",
        f"{percent(step.good_share.value)}{EARLY if outcome.ended_early else ''}",
        _quantile(step.ttft_s, "p50"),
        _quantile(step.ttft_s, "p95"),
        _quantile(step.e2e_s, "p95"),
        str(outcome.throttled),
        str(outcome.failed),
        str(outcome.requests),
    )


def _quantile(quantiles: Quantiles | None, name: str) -> str:
    return "–" if quantiles is None else significant(getattr(quantiles, name).value)


def print_sweep(report: SweepReport, console: Console, *, picture: str) -> None:
    """The sentences first, then every step, then what to mind."""
    mark = "SIMULATED, not Amazon Bedrock: " if report.simulated else ""
    console.print(
        Text(mark, style="bold yellow").append(objective_of(report), style="not bold default"), soft_wrap=True
    )
    for told in sentences(report):
        console.print(Text(f"  {printable(told)}", style="bold"), soft_wrap=True)
    console.print()
    for each in report.targets:
        console.print(Text(printable(each.target), style="bold"), soft_wrap=True)
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        for heading in HEADINGS:
            table.add_column(heading, justify="right", overflow="fold")
        for step in each.steps:
            table.add_row(*map(Text, cells(report, step)))
        console.print(table)
        console.print()
    if any(step.outcome.ended_early for each in report.targets for step in each.steps):
        console.print(EARLY_NOTE, soft_wrap=True)
    for finding in report.findings:
        console.print(Text("! ", style="bold red").append(sentence(finding), style="not bold default"), soft_wrap=True)
    console.print(Text(f"Picture: {printable(picture)}", style="bold"), soft_wrap=True)


def render_sweep_markdown(report: SweepReport) -> str:
    """`sweep.md`."""
    lines = [f"# Sweep of {escape(report.suite)}", ""]
    if report.simulated:
        lines += [f"> **SIMULATED** {SIMULATED}", ""]
    lines += [f"Objective: {objective_of(report)}.", "", *(f"- {escape(told)}" for told in sentences(report)), ""]
    lines += ["![Latency, goodput and errors against the load](plots/sweep.png)", ""]
    for each in report.targets:
        lines += [f"## {escape(each.target)}", "", f"| {' | '.join(HEADINGS)} |", f"|{' --: |' * len(HEADINGS)}"]
        lines += [f"| {' | '.join(map(escape, cells(report, step)))} |" for step in each.steps]
        lines.append("")
    lines += [f"\\{EARLY_NOTE}", ""] + [f"- {escape(sentence(finding))}" for finding in report.findings]
    return "\n".join(lines).rstrip() + "\n"
