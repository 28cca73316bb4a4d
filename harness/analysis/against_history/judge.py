"""Compares a run with what the last runs of its suite predict, and gives each target's metrics a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from harness.analysis.against_history.figures import Figure, measure
from harness.analysis.against_history.prediction import (
    FEWEST_RUNS,
    Prediction,
    predict,
    predict_rate,
    usual_reach,
)
from harness.analysis.against_history.rows import LAST, HistoryReport, HistoryRow, LeftOut, PastPoint
from harness.analysis.compare.comparison import Scale
from harness.analysis.compare.gate import Rule, gate_of, make_rules
from harness.analysis.compare.sample_size.remedies import reaches
from harness.analysis.compare.verdict import decide, worst
from harness.analysis.history import manifest_differences
from harness.analysis.metrics import metric_of
from harness.analysis.past_runs import StoredRun
from harness.analysis.stats.interval import LEVEL, holm
from harness.analysis.stats.power import ALPHA
from harness.analysis.summary.summary import RunSummary
from harness.characters import counted
from harness.clock import utc_from_ns
from harness.errors import CompareError, StoreError
from harness.store.finding import Finding
from harness.suite.suite import Suite

SECOND_LOOK = "run the suite again: two runs outside are a regression, one may be an odd one"
FEW = "so few past runs predict little"
HIDDEN = "its failed requests may hide slow answers"


def compare_with_history(
    today: StoredRun,
    suite: Suite,
    past: Sequence[StoredRun],
    *,
    last: int = LAST,
    targets: Sequence[str] = (),
    gate: Mapping[str, str] | None = None,
    left_out: Sequence[LeftOut] = (),
) -> HistoryReport:
    """Every target's gate metrics against their prediction from the last of its `past` runs, as one family of tests.

    `suite`: today's; `past`: valid, comparable runs, oldest first (`past_runs.find_past_runs`); `targets`: these alone;
    `gate`: other margins than the suite's. An invalid run gets no verdict. StoreError: today's run has no summary.
    CompareError: an unknown target, a margin that cannot be read, or `last` below FEWEST_RUNS.
    """
    if today.summary is None:
        raise StoreError(f"{today.manifest.run_id}: {today.trouble}")
    if last < FEWEST_RUNS:
        raise CompareError(f"--last {last}: a prediction needs {FEWEST_RUNS} past runs; ask for at least as many")
    names = _targets(today.summary, targets)
    written, by_default = (dict(gate), False) if gate else gate_of(suite, tail=_has_tail(today.summary, names))
    rules = make_rules(written)
    measured = [_measure(today, suite, past, name, rule, last) for name in names for rule in rules]
    adjusted = holm([1.0 if row.p_value is None else row.p_value for row in measured])
    settled = zip(measured, adjusted, strict=True)
    rows = tuple(_with_failures(_judge(row, p, len(measured)), today, past) for row, p in settled)
    used = {point.run_id for row in rows for point in row.past}
    return HistoryReport(
        suite=suite.name,
        suite_digest=suite.digest,
        simulated=today.manifest.simulated,
        run_id=today.manifest.run_id,
        started_utc=_utc(today),
        last=last,
        past_runs=tuple(run.manifest.run_id for run in past if run.manifest.run_id in used),
        rows=rows,
        verdict=worst(row.verdict for row in rows) if today.trouble is None else "inconclusive",
        family=len(rows),
        left_out=tuple(left_out),
        findings=tuple(_findings(today, written, by_default=by_default)),
        valid=today.trouble is None,
    )


def _targets(summary: RunSummary, wanted: Sequence[str]) -> list[str]:
    known = [t.target for t in summary.targets]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise CompareError(f"--candidate {unknown[0]}: the run did not measure it (its targets: {', '.join(known)})")
    return [name for name in known if not wanted or name in wanted]


def _has_tail(summary: RunSummary, names: Sequence[str]) -> bool:
    """Whether the samples of every target bound a p95."""
    latencies = [t.e2e_s for t in summary.targets if t.target in names]
    return all(each is not None and None not in (each.p95.low, each.p95.high) for each in latencies)


def _measure(today: StoredRun, suite: Suite, past: Sequence[StoredRun], name: str, rule: Rule, last: int) -> HistoryRow:
    """A row without its verdict."""
    metric = metric_of(rule.metric)
    now = measure(today, name, rule.metric, suite)
    target = next(each for each in today.manifest.targets if each.name == name)
    known = [(run, measure(run, name, rule.metric, suite)) for run in past if target in run.manifest.targets]
    figures = [(run, figure) for run, figure in known if figure is not None and _on_scale(figure.value, rule.scale)]
    figures = figures[-last:]
    row = HistoryRow(
        target=name,
        metric=rule.metric,
        unit=metric.unit,
        scale=rule.scale,
        today=None if now is None else now.value,
        margin=rule.margin,
        margin_written=rule.written,
        past=tuple(_point(run, figure) for run, figure in figures),
    )
    if now is None or not _on_scale(now.value, rule.scale):
        return msgspec.structs.replace(row, note="today's run has no such figure")
    if len(figures) < FEWEST_RUNS:
        missing = FEWEST_RUNS - len(figures)
        note = f"{counted(len(figures), 'comparable run')} so far; a prediction needs {FEWEST_RUNS}; {missing} to go"
        return msgspec.structs.replace(row, runs_needed=missing, note=note)
    differed = tuple(manifest_differences(figures[-1][0].manifest, today.manifest, name))
    prediction = _predict([figure for _, figure in figures], now, rule.scale)
    return _predicted(msgspec.structs.replace(row, differed=differed), prediction, now, up_is_worse=metric.up_is_worse)


def _on_scale(value: float, scale: Scale) -> bool:
    return value > 0 or scale != "log_ratio"


def _point(run: StoredRun, figure: Figure) -> PastPoint:
    return PastPoint(run_id=run.manifest.run_id, started_utc=_utc(run), value=figure.value)


def _utc(run: StoredRun) -> str:
    return f"{utc_from_ns(run.manifest.origin_utc_ns):%Y-%m-%dT%H:%M:%SZ}"


def _predict(past: Sequence[Figure], now: Figure, scale: Scale) -> Prediction:
    values = np.array([figure.value for figure in past])
    if scale == "points":
        return predict_rate(values, np.array([float(figure.answers) for figure in past]), now.answers)
    return predict(np.log(values) if scale == "log_ratio" else values)


def _predicted(row: HistoryRow, prediction: Prediction, now: Figure, *, up_is_worse: bool) -> HistoryRow:
    value = math.log(now.value) if row.scale == "log_ratio" else now.value
    centre, reach = float(prediction.centre), float(prediction.reach(LEVEL))
    expected, low, high = (_in_unit(each, row) for each in (centre, centre - reach, centre + reach))
    return msgspec.structs.replace(
        row,
        expected=expected,
        low=low,
        high=high,
        estimate=(value - centre) * (1 if up_is_worse else -1),
        reach=reach,
        p_value=float(prediction.p_value(value)),
        inside=abs(value - centre) <= reach,
        method=prediction.method,
    )


def _in_unit(value: float, row: HistoryRow) -> float:
    """From the scale of the prediction to the metric's unit; no rate, latency or cost is below 0, no rate above 1."""
    if row.scale == "log_ratio":
        return math.exp(value)
    return max(0.0, min(1.0, value) if row.scale == "points" else value)


def _judge(row: HistoryRow, p_adjusted: float, family: int) -> HistoryRow:
    if row.estimate is None or row.reach is None:
        return row
    low, high = row.estimate - row.reach, row.estimate + row.reach
    verdict = decide(estimate=row.estimate, low=low, high=high, p_adjusted=p_adjusted, margin=row.margin)
    row = msgspec.structs.replace(
        row,
        p_adjusted=p_adjusted,
        verdict=verdict,
        equivalent=not reaches(max(-low, high), row.margin),
        differed=() if row.inside else row.differed,
    )
    if verdict != "inconclusive":
        return row
    more = _runs_needed(row) if row.inside else None
    return msgspec.structs.replace(row, runs_needed=more, note=FEW if more else _why_open(row, p_adjusted, family))


def _why_open(row: HistoryRow, p_adjusted: float, family: int) -> str:
    """Why an inconclusive row with a prediction is not settled, and what would settle it."""
    estimate, reach = row.estimate or 0.0, row.reach or 0.0
    if not row.inside and p_adjusted >= ALPHA and reaches(estimate, row.margin):
        return f"outside on its own, but not after Holm's correction over {counted(family, 'row')}; {SECOND_LOOK}"
    if not row.inside and estimate > 0:
        return f"outside, but by less than the margin; {SECOND_LOOK}"
    if reaches(reach, row.margin):
        return (
            "the past runs differ among themselves by more than the margin: run for longer or with more repeats, allow "
            "a wider margin, or compare two targets within one run, where the hour cancels out"
        )
    return "a loss of the margin cannot be ruled out by one run; run the suite again"


def _runs_needed(row: HistoryRow) -> int | None:
    """More runs of this spread, up to LAST in all, with which the row would be `no worse`; None: they do not help."""
    k, estimate, reach = len(row.past), max(0.0, row.estimate or 0.0), row.reach or 0.0
    spread = reach / usual_reach(k)
    enough = (n for n in range(k + 1, LAST + 1) if not reaches(estimate + spread * usual_reach(n), row.margin))
    return next((n - k for n in enough), None)


def _with_failures(row: HistoryRow, today: StoredRun, past: Sequence[StoredRun]) -> HistoryRow:
    """A latency covers successes: with more failures than any past run had, it is not called better, and its quantile
    is not called no worse where so many failures would fill the tail beyond it.
    """
    metric = metric_of(row.metric)
    if metric.quantile is None or row.verdict not in ("better", "no_worse"):
        return row
    runs = {point.run_id for point in row.past}
    before = [_failed(run, row.target) for run in past if run.manifest.run_id in runs]
    failed = _failed(today, row.target)
    if failed <= max(before, default=0.0) or (row.verdict == "no_worse" and failed < 1 - metric.quantile):
        return row
    return msgspec.structs.replace(row, verdict="inconclusive", equivalent=False, note=HIDDEN)


def _failed(run: StoredRun, name: str) -> float:
    t = run.of(name)
    return 0.0 if t is None else 1 - t.success_rate.value


def _findings(today: StoredRun, written: Mapping[str, str], *, by_default: bool) -> Iterable[Finding]:
    if today.trouble is not None:
        yield Finding(what=today.trouble, remedy="run the suite again", invalidates=True)
    if by_default:
        margins = ", ".join(f"{metric}: {margin}" for metric, margin in written.items())
        yield Finding(
            what=f"the suite has no gate; the default margins decide ({margins})",
            remedy=f"set the margins that you can accept in the suite: gate: {{{margins}}}",
        )
