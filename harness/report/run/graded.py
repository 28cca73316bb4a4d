"""What graders say beyond pass or fail, as tables: several answers to a prompt, preferences, and the judges."""

from __future__ import annotations

import msgspec

from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import RunSummary
from harness.report.wording import MISSING, rate_interval, usd


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A table with its heading and what to know of it; the first column holds names. Hostile: escape it."""

    title: str
    note: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]


def sections(summary: RunSummary) -> list[Section]:
    """Those that the run has something for."""
    return [each for each in (_several(summary), _preferences(summary), _judges(summary)) if each.rows]


def judging_line(summary: RunSummary) -> str | None:
    """What judging cost, on a line; None: nobody judged."""
    if not summary.judges:
        return None
    asked, failed = sum(judge.asked for judge in summary.judges), sum(judge.failed for judge in summary.judges)
    failures = f", {failed:,} without a verdict" if failed else ""
    return f"Judging cost {usd(summary.judging_cost_usd)} on top: {asked:,} questions{failures}"


def _several(summary: RunSummary) -> Section:
    told = [(target.target, target.several) for target in summary.targets if target.several is not None]
    ks = sorted({k for _, several in told for k in several.pass_at if k > 1})
    most = ks[-1:]
    shown = sorted({*ks[:1], *most})
    return Section(
        title="Several answers to a prompt",
        note="mean: over prompts. pass@k: one of k answers is right. pass^k: all k are.",
        headings=("target", "prompts", "mean", *(f"pass@{k}" for k in shown), *(f"pass^{k}" for k in shown)),
        rows=[
            (
                name,
                f"{several.prompts:,}",
                rate_interval(several.pass_at[1]),
                *(rate_interval(several.pass_at.get(k)) for k in shown),
                *(rate_interval(several.pass_hat.get(k)) for k in shown),
            )
            for name, several in told
        ],
    )


def _preferences(summary: RunSummary) -> Section:
    told = [(target.target, target.preference) for target in summary.targets if target.preference is not None]
    return Section(
        title="Preferred to the baseline",
        note="Each pair is shown to the judge in both orders; where the order decides, it is a tie and counts as "
        "flipped. Longer wins: of the pairs with a winner, those where the longer answer is it; 50% is no bias.",
        headings=("target", "win rate", "wins", "ties", "losses", "unjudged", "flipped", "longer wins"),
        rows=[
            (
                name,
                rate_interval(each.win_rate),
                f"{each.wins:,}",
                f"{each.ties:,}",
                f"{each.losses:,}",
                f"{each.unjudged:,}",
                rate_interval(each.flip_rate),
                rate_interval(each.longer_wins),
            )
            for name, each in told
        ],
    )


def _judges(summary: RunSummary) -> Section:
    return Section(
        title="Judges",
        note="Their cost comes on top of the targets'. Agreement and Cohen's kappa are with the people who labelled "
        "answers; kappa is agreement beyond chance.",
        headings=("judge", "model", "asked", "no verdict", "cost", "labels", "agreement", "kappa"),
        rows=[
            (
                judge.judge,
                judge.model_id,
                f"{judge.asked:,}",
                f"{judge.failed:,}",
                usd(judge.cost_usd),
                f"{judge.labels:,}",
                rate_interval(judge.agreement),
                _kappa(judge.kappa),
            )
            for judge in summary.judges
        ],
    )


def _kappa(kappa: Interval | None) -> str:
    if kappa is None:
        return MISSING
    if kappa.low is None or kappa.high is None:
        return f"{kappa.value:.2f}"
    return f"{kappa.value:.2f} [{kappa.low:.2f}, {kappa.high:.2f}]"
