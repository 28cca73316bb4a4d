"""A comparison in words: metrics, differences and verdicts, the same in every report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

from harness.analysis.compare.comparison import (
    ORDER,
    Arm,
    CompareReport,
    Comparison,
    Difference,
    Flip,
    Outcomes,
    Verdict,
    word,
)
from harness.analysis.metrics import metric_of
from harness.characters import counted, printable, rounded
from harness.report.section import Number, Tone
from harness.report.wording import MISSING, usd, value_with_unit, write_interval, write_value

SYMBOLS: dict[Verdict, str] = {"better": "✓", "no_worse": "○", "worse": "✗", "inconclusive": "?"}
TONES: dict[Verdict, Tone] = {"better": "good", "no_worse": "good", "worse": "bad", "inconclusive": "warn"}
MOST_NAMED = 3
"""Metrics named in a sentence."""


def mark(verdict: Verdict) -> str:
    """`✗ worse`: a symbol and a word, so that no meaning depends on colour."""
    return f"{SYMBOLS[verdict]} {word(verdict)}"


def metric_name(metric: str) -> str:
    """`ttft_p95` → `TTFT p95`; `pass_rate[facts]` → `pass rate [facts]`."""
    return printable(metric_of(metric).label)


def difference(d: Difference) -> Number | None:
    """Candidate − baseline with its interval; None if unknown."""
    if d.estimate is None:
        return None
    sign = _sign(d)
    value, unit = _on_scale(d, sign * d.estimate)
    low, high = (None if bound is None else _on_scale(d, sign * bound)[0] for bound in (d.low, d.high)[::sign])
    return Number(value, unit, low, high, bounded=True, signed=True)


def change_alone(d: Difference) -> str:
    """`+24.0%`: the difference without its interval."""
    change = difference(d)
    return MISSING if change is None else write_value(change)


def change_in_words(d: Difference, level: float) -> str:
    """`+24.0% (95% interval +18.0 to +31.0%, margin 15%)`."""
    change = difference(d)
    interval = "" if change is None else write_interval(change, between=" to ")
    details = [f"{100 * level:g}% interval {interval}{_suffix(d)}"] if interval else []
    details += [f"margin {margin(d)}"] if d.margin is not None else []
    return change_alone(d) + (f" ({', '.join(details)})" if details else "")


def margin(d: Difference) -> str:
    """The margin as the suite writes it."""
    if d.margin is None:
        return MISSING
    return printable(d.margin_written) if d.margin_written else value_with_unit(*_on_scale(d, d.margin))


def samples(d: Difference) -> str:
    """`40`, or `120 in 40` where samples are not independent."""
    return f"{d.n:,} in {d.clusters:,}" if 0 < d.clusters < d.n else f"{d.n:,}"


def settled_by(d: Difference, prompts: int) -> str:
    """What would settle an inconclusive row; empty if it is settled or this is unknown."""
    if d.verdict != "inconclusive" or d.n_needed is None:
        return ""
    if d.remedy is not None and d.remedy_needed is not None:
        return _remedy(d, d.remedy_needed)
    if d.time_limited and d.n_needed > d.n > 0:
        return f"a run {rounded(d.n_needed / d.n, 2)} times as long at the same rate"
    if is_quantile(d):
        how = f", for example with --repeats {math.ceil(d.n_needed / prompts)}" if prompts else ""
        if d.clusters_needed is not None:
            how = f", from {d.clusters_needed:,} prompts or groups (now {d.clusters:,})"
        return f"{d.n_needed:,} answers on each side (now {d.n:,}){how}"
    return f"{d.n_needed:,} {'attempts' if d.metric == 'throttle_rate' else 'prompts'} (now {d.n:,})"


def _remedy(d: Difference, wanted: float) -> str:
    """`280 prompts (now 40)`, `--repeats 6 (now 2)`, `a run of 12 minutes at this rate (now 1)`."""
    now = f"(now {rounded(d.remedy_now or 0, 4)})"
    match d.remedy:
        case "repeats":
            return f"--repeats {wanted:g} {now}"
        case "time":
            return f"a run of {rounded(wanted, 4)} minutes at this rate {now}"
        case "runs":
            return f"{wanted:g} earlier runs {now}"
    groups = f" in more groups (now {d.clusters:,})" if d.clusters < (d.remedy_now or 0) else ""
    return f"{wanted:,.0f} prompts {now}{groups}"


def is_quantile(d: Difference) -> bool:
    """Whether the metric is a quantile of a latency: its n counts answers, that of others prompts."""
    return metric_of(d.metric).quantile is not None


def gated(c: Comparison) -> list[Difference]:
    """The rows that decide."""
    return [d for d in c.differences if not d.exploratory]


def exploratory(c: Comparison) -> list[Difference]:
    """The rows that decide nothing."""
    return [d for d in c.differences if d.exploratory]


def worst_first(report: CompareReport) -> list[Comparison]:
    """The comparisons, the worst verdict first."""
    return sorted(report.comparisons, key=lambda c: ORDER.index(c.verdict))


def names(c: Comparison) -> tuple[str, str]:
    """The candidate's and the baseline's name, with their runs if these differ."""
    if c.candidate.run_id == c.baseline.run_id:
        return c.candidate.target, c.baseline.target
    return _with_run(c.candidate), _with_run(c.baseline)


def candidate_of(c: Comparison) -> str:
    return names(c)[0]


def headline(c: Comparison, level: float) -> str:
    """The verdict as a sentence, with the rows behind it."""
    candidate, baseline = map(printable, names(c))
    rows = [d for d in gated(c) if d.verdict == c.verdict]
    match c.verdict:
        case "worse":
            return f"{candidate} is worse than {baseline} on {_described(rows, level)}"
        case "better":
            return f"{candidate} is better than {baseline} on {_described(rows, level)}, and worse on no metric"
        case "no_worse":
            alike = [d for d in gated(c) if d.equivalent]
            also = f" (equivalent on {_listed(alike)})" if alike else ""
            return f"{candidate} is no worse than {baseline}: any loss is below the margin on {_listed(gated(c))}{also}"
    if rows:
        return f"{candidate} may be worse than {baseline} on {_described(rows, level)}"
    reason = "one of the runs is invalid" if gated(c) else "no metric could be compared"
    return f"{candidate} may be worse than {baseline}: {reason}"


def short_headline(c: Comparison) -> str:
    """The verdict for a figure's title."""
    candidate, baseline = c.candidate.target, c.baseline.target
    other = baseline if baseline != candidate else "itself in the earlier run"
    rows = [d for d in gated(c) if d.verdict == c.verdict]
    first = f": {metric_name(rows[0].metric)} {change_alone(rows[0])}" if rows else ""
    match c.verdict:
        case "inconclusive":
            return f"{candidate} may be worse than {other}"
        case "no_worse":
            return f"{candidate} is no worse than {other}"
        case _:
            return f"{candidate} is {c.verdict} than {other}{first}"


def describe_flips(c: Comparison) -> str:
    """`19 of 35 prompts changed: 10 worse, 9 better; an unchanged model would change about 16 (from 3 repeats)`.

    Of the prompts scored on both sides.
    """
    scored = c.prompts - c.unscored
    if not scored:
        return "no prompt has a scored answer on both sides"
    changed = c.lost + c.gained
    text = f"{changed:,} of {counted(scored, 'prompt')} changed: {c.lost:,} worse, {c.gained:,} better"
    if not changed:
        text = f"none of {counted(scored, 'prompt')} changed"
    text = f"{text} ({c.unscored:,} more are not scored on both sides)" if c.unscored else text
    return "; ".join(part for part in (text, describe_expected(c)) if part)


def describe_expected(c: Comparison) -> str:
    """`an unchanged model would change about 16 (from 3 repeats)`, or how to learn it; empty if nothing asks for it."""
    if c.expected_changes is None:
        unknown = "how many an unchanged model would change is unknown: --repeats 2 shows it"
        return unknown if c.lost + c.gained else ""
    about = f"about {c.expected_changes:,.0f}" if c.expected_changes >= 0.5 else "hardly any"
    return f"an unchanged model would change {about} (from {printable(c.expected_from)})"


def describe_shares(flip: Flip) -> str:
    """`2/2 → 1/2`: passed/scored answers of the baseline and the candidate."""
    return f"{_describe_outcomes(flip.baseline)} → {_describe_outcomes(flip.candidate)}"


def _describe_outcomes(side: Outcomes) -> str:
    return f"{side.passed}/{side.scored}" + (f" ({side.unscored} unscored)" if side.unscored else "")


def flips_listed(c: Comparison, most: int) -> str:
    """`sum 2/2 → 1/2, capital 3/3 → 2/3 and 7 more`, the worst first; empty if nothing changed."""
    flips = [f"{printable(flip.prompt_id)} {describe_shares(flip)}" for flip in c.flips[:most]]
    return ", ".join(flips) + flips_left_out(c, most)


def flips_left_out(c: Comparison, most: int) -> str:
    """Empty if there are at most `most`."""
    return f" and {len(c.flips) - most:,} more (see compare.json)" if len(c.flips) > most else ""


def describe_correct_cost(c: Comparison) -> str:
    """What a correct answer costs on both sides; empty if unknown."""
    before, after = c.drift.baseline_cost_per_correct_usd, c.drift.candidate_cost_per_correct_usd
    if before is None or after is None:
        return ""
    return f"a correct answer costs {usd(after)} ({usd(before)} with the baseline)"


def _described(rows: Sequence[Difference], level: float) -> str:
    changes = [f"{metric_name(d.metric)}: {change_in_words(d, level)}" for d in rows[:MOST_NAMED]]
    return "; ".join(changes) + (f"; and {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else "")


def _listed(rows: list[Difference]) -> str:
    return list_names([d.metric for d in rows])


def list_names(metrics: Sequence[str]) -> str:
    """`pass rate, TTFT p95 and cost per request`."""
    *first, last = map(metric_name, metrics) if metrics else ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last


def said_once(remarks: Iterable[tuple[str, str]]) -> list[tuple[list[str], str]]:
    """Remarks on metrics, each with all metrics of which it says the same; in the order of the first.

    A remark is of parts, joined by `; ` (`add_note`): what two rows share is said once, whatever else one of them has.
    """
    metrics: dict[str, list[str]] = {}
    for metric, text in remarks:
        for part in text.split("; "):
            metrics[part] = [*metrics.get(part, []), metric]
    return [(list(of), "; ".join(parts)) for of, parts in groupby(metrics, key=lambda part: metrics[part])]


def _with_run(arm: Arm) -> str:
    return f"{arm.target} (run {arm.run_id})"


def _sign(d: Difference) -> int:
    """A `Difference` is signed so that + is worse; readers want candidate − baseline."""
    return 1 if metric_of(d.metric).up_is_worse else -1


def _on_scale(d: Difference, value: float) -> tuple[float, str]:
    """A number as it is written for the difference's scale, and its unit."""
    match d.scale:
        case "points":
            return 100 * value, "pp"
        case "log_ratio":
            return 100 * math.expm1(min(value, 50.0)), "%"
        case "absolute":
            return value, d.unit


def _suffix(d: Difference) -> str:
    unit = _on_scale(d, 0.0)[1]
    return unit if unit == "%" else f" {printable(unit)}"
