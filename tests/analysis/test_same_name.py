"""A figure has one value wherever its name stands: in a summary, a comparison, a history and a query."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.analysis.compare.compare import compare_targets
from harness.analysis.compare.comparison import Difference
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.history import HistoryFilter, load_history
from harness.analysis.loader import load_run
from harness.analysis.metrics import METRICS
from harness.analysis.summary.summarise import summarise
from harness.analysis.summary.summary import RunSummary, figure_of, write_summary
from harness.store.query import connect
from harness.store.records import Attempt, Score
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

KEYS = ("pass_rate", "error_rate", "cost_per_request", "ttft_p50", "ttft_p95", "e2e_p95")
SQL = """
select target, (select avg(passed) from by_prompt as b where b.target = r.target),
    (select avg(failed) from by_prompt as b where b.target = r.target),
    (select avg(cost_usd) from by_prompt as b where b.target = r.target),
    quantile_disc((first_ns - due_ns) / 1e9, 0.5) filter (ok),
    quantile_disc((first_ns - due_ns) / 1e9, 0.95) filter (ok),
    quantile_disc((done_ns - due_ns) / 1e9, 0.95) filter (ok)
from requests as r where phase = 'measure' group by target order by target
"""
BY_PROMPT = """
create temp view by_prompt as select target, prompt_id, avg(passed::int) as passed, avg((not ok)::int) as failed,
    avg(cost_usd) filter (ok) as cost_usd
from requests where phase = 'measure' group by all
"""


@pytest.fixture
def uneven(
    make_suite: Callable[..., Suite], make_attempt: Callable[..., Attempt], write_run: Callable[..., RunFolder]
) -> RunFolder:
    """Two targets, ten prompts: the first is asked 13 times, fails 4 times, passes 5; the others are asked 3 times.

    Each prompt has its price, a failure costs as well, and every prompt but the first is retried once.
    """
    suite = make_suite(
        ("a", "b"),
        gate={
            "pass_rate": "5pp",
            "error_rate": "2pp",
            **dict.fromkeys(("cost_per_request", "ttft_p50", "ttft_p95", "e2e_p95"), "10%"),
        },
    )
    attempts, scores = [], []
    asked = [(prompt, repeat) for prompt in range(10) for repeat in range(13 if prompt == 0 else 3)]
    for at, (prompt, repeat) in enumerate(asked):
        for number, target in enumerate(("a", "b")):
            request_id = f"{at:06d}-{number:02d}"
            due, ok = at * 10**9, not (prompt == 0 and repeat < 4)
            first = due + (300 + 7 * at * (number + 1) % 101) * 10**6
            stamps = {"first_ns": first, "last_ns": first + 10**9, "done_ns": first + 11 * 10**8}
            failure: dict[str, Any] = {
                "ok": False, "error_kind": "throttled", "text": None, "first_ns": None, "last_ns": None,
                "done_ns": due + 10**8,
            }  # fmt: skip
            retried = prompt > 0 and repeat == 1
            for try_no in (1, 2) if retried else (1,):
                at_ns = due + (try_no - 1) * 2 * 10**8
                outcome = stamps if ok and (try_no == 2 or not retried) else failure
                attempts.append(
                    make_attempt(request_id, target=target, prompt_id=f"p{prompt}", repeat=repeat, due_ns=at_ns,
                                 sent_ns=at_ns, headers_ns=at_ns, try_no=try_no, chunk_us=[],
                                 cost_usd=(prompt + 1 + number + repeat / 10) / (100 * try_no), **outcome)
                )  # fmt: skip
            passed = ok and repeat % 2 == 0
            scores.append(Score(request_id=request_id, scorer="exact", value=float(passed), passed=passed, reason=""))
    return write_run(suite, attempts, scores)


def test_a_summary_a_comparison_a_history_and_a_query_give_the_same_figure(uneven: RunFolder) -> None:
    manifest, suite, data = uneven.read_manifest(), uneven.read_suite(), load_run(uneven)
    summary = summarise(manifest, suite, data)
    own = figures(summary)
    assert len({*own["a"].values()}) == len(KEYS)
    report = compare_targets(FinishedRun(manifest=manifest, suite=suite, data=data), None, baseline_target="a")
    rows: dict[str, Difference] = {row.metric: row for row in report.comparisons[0].differences}
    for key in KEYS:
        assert own["a"][key] == pytest.approx(rows[key].baseline, rel=1e-12), key
        assert own["b"][key] == pytest.approx(rows[key].candidate, rel=1e-12), key
    with closing(connect([uneven])) as con:
        con.execute(BY_PROMPT)
        asked = {target: dict(zip(KEYS, values, strict=True)) for target, *values in con.execute(SQL).fetchall()}
    for target in ("a", "b"):
        assert own[target] == pytest.approx(asked[target], rel=1e-12)
    write_summary(uneven.summary_path, summary)
    (history,) = load_history(Path(uneven.path).parent, HistoryFilter()).suites
    followed = {(t.target, t.metric): [p.value for p in (*t.points, *t.apart)] for t in history.trends}
    for key in set(KEYS) & {metric for _, metric in followed}:
        assert [own["a"][key]] == followed["a", key]


def figures(summary: RunSummary) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for target in summary.targets:
        for key in KEYS:
            figure = figure_of(target, METRICS[key])
            assert figure is not None
            found.setdefault(target.target, {})[key] = figure.value
    return found


def test_a_prompt_that_is_asked_more_often_counts_no_more(uneven: RunFolder) -> None:
    """The mean over prompts, not over requests: 4 of 40 requests failed, all of one prompt in ten."""
    (a, _) = summarise(uneven.read_manifest(), uneven.read_suite(), load_run(uneven)).targets
    assert (40, 36) == (a.requests, a.succeeded)
    assert pytest.approx(4 / 13 / 10) == a.error_rate.value
    assert a.pass_rate is not None
    assert pytest.approx((5 / 13 + 9 * 2 / 3) / 10) == a.pass_rate.value
    assert msgspec.json.encode(a)
