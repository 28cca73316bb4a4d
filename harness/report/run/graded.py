"""The sections on grading: pass rates by tag, repeated answers, pairs and judges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.analysis.summary.summary import RunSummary
from harness.report.section import Cell, Column, Name, Section, Table, number
from harness.report.wording import usd

PREFERENCES = "Preferred to the baseline"
JUDGED = ("target", "judge", "answers", "judged pass rate", "corrected pass rate")


def tags(summary: RunSummary) -> Section:
    names = sorted({tag for t in summary.targets for tag in t.pass_rate_by_tag})
    columns = [Column(heading=heading) for heading in ("tag", *(t.target for t in summary.targets))]
    rows = [(tag, *(number(t.pass_rate_by_tag.get(tag), "share") for t in summary.targets)) for tag in names]
    return Section(title="Pass rate by tag", table=Table(columns=columns, rows=rows))


def repeated(summary: RunSummary) -> Section:
    """For prompts with several answers: the mean over prompts, and pass@k and pass^k for the smallest and largest k."""
    several = [(t.target, t.several) for t in summary.targets if t.several is not None]
    ks = sorted({k for _, each in several for k in each.pass_at if k > 1})
    shown = sorted({*ks[:1], *ks[-1:]})
    headings = ("target", "prompts", "mean", *(f"pass@{k}" for k in shown), *(f"pass^{k}" for k in shown))
    rows = [
        (
            Name(name),
            each.prompts,
            number(each.pass_at[1], "share"),
            *(number(each.pass_at.get(k), "share") for k in shown),
            *(number(each.pass_hat.get(k), "share") for k in shown),
        )
        for name, each in several
    ]
    return _graded(
        "Several answers to a prompt",
        "mean: over prompts. pass@k: at least one of k answers passes. pass^k: all k pass.",
        headings,
        rows,
    )


def preferences(summary: RunSummary) -> Section:
    return _graded(
        PREFERENCES,
        "The judge sees each pair in both orders; if the order decides, the pair is a tie and counts as flipped. "
        "Longer wins: the share of decided pairs that the longer answer wins; 50% means no bias.",
        ("target", "win rate", "wins", "ties", "losses", "unjudged", "flipped", "longer wins"),
        [
            (
                Name(t.target),
                number(each.win_rate, "share"),
                each.wins,
                each.ties,
                each.losses,
                each.unjudged,
                number(each.flip_rate, "share"),
                number(each.longer_wins, "share"),
            )
            for t in summary.targets
            if (each := t.preference) is not None
        ],
    )


def judges(summary: RunSummary) -> Section:
    return _graded(
        "Judges",
        "Their cost is in addition to the targets'. Agreement and Cohen's kappa compare them with the people who "
        "labelled answers; kappa is agreement beyond chance. Right passes and right failures: of the answers that "
        "people passed, or failed, the share on which the judge agrees.",
        (
            "judge",
            "model",
            "asked",
            "no verdict",
            "cost",
            "labels",
            "agreement",
            "kappa",
            "right passes",
            "right failures",
        ),
        [
            (
                judge.judge,
                judge.model_id,
                judge.asked,
                judge.failed,
                number(judge.cost_usd, "usd"),
                judge.labels,
                number(judge.agreement, "share"),
                number(judge.kappa, "kappa"),
                number(judge.sensitivity, "share"),
                number(judge.specificity, "share"),
            )
            for judge in summary.judges
        ],
    )


def _graded(title: str, text: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Section:
    if not rows:
        return Section()
    columns = [
        Column(heading=heading, interval_weight=1, is_text=heading == "model", best=_best(heading))
        for heading in headings
    ]
    return Section(title=title, text=text, table=Table(columns=columns, rows=rows))


def _best(heading: str) -> Literal["high", ""]:
    """Of several answers and of pairs, a higher share is better."""
    return "high" if heading.startswith(("mean", "pass@", "pass^", "win rate")) else ""


def judging_sentence(summary: RunSummary) -> str:
    """The cost of judging and the number of questions; empty without judges."""
    if not summary.judges:
        return ""
    asked, failed = sum(judge.asked for judge in summary.judges), sum(judge.failed for judge in summary.judges)
    failures = f", {failed:,} without a verdict" if failed else ""
    return f"Judging cost another {usd(summary.judging_cost_usd)}: {asked:,} questions{failures}"


def judged_rates(summary: RunSummary) -> Section:
    """Each judge's own rate beside the corrected one, by target; empty without judged answers."""
    rows = [
        (Name(t.target), each.judge, each.answers, number(each.rate, "share"), number(each.corrected, "share"))
        for t in summary.targets
        for each in t.judged
    ]
    if not rows:
        return Section()
    return Section(
        title="What people would have passed",
        text="Judged pass rate: what a judge passed of the answers that it graded alone. Corrected: the same by how "
        "the judge errs on answers that people labelled, with the error of both; – where the labels do not show it.",
        table=Table(columns=[Column(heading=heading, interval_weight=1) for heading in JUDGED], rows=rows),
    )
