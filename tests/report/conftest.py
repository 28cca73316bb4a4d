"""Generated runs that look like real ones: seeded, with 429s, groups and a price for each model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy.stats import binom

from harness.analysis.columns import AttemptCounts, AttemptsOverTime, Columns, RunData
from harness.analysis.compare.comparison import Arm, CompareReport, Comparison, Difference, Drift, Flip, Outcomes
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import Quantiles, RoutingPair, RunSummary, TargetSummary, Winner
from harness.catalog.prices import Price
from harness.catalog.target import Target
from harness.report.drawing.frame import RunView, make_view
from harness.report.figures import FIGURES
from harness.report.plots import DEFAULT_FORMATS, Plots
from harness.report.section import Picture
from harness.report.write import draw_run
from harness.store.finding import Finding
from harness.store.manifest import TargetPrice, new_manifest
from harness.suite.suite import Load, Message, Prompt, Slo, Step, Suite

NAMES = (
    "claude-haiku-4-5/global/converse",
    "claude-haiku-4-5/us/invoke",
    "claude-sonnet-4-6/global/invoke",
    "claude-sonnet-4-6/us/converse",
)
SPEED = {"claude-haiku-4-5": (0.6, 140.0, 0.84, 1.0), "claude-sonnet-4-6": (1.3, 65.0, 0.95, 3.0)}
"""Median TTFT s, tokens/s, skill, USD per million input tokens (output costs five times that)."""
TAGS = ("arithmetic", "classification", "dates", "extraction", "facts")

CLOSED = Load(arrival="closed")
FIT_RUNS: dict[str, dict[str, Any]] = {
    "offered_load": {
        "requests": 280,
        "load": Load(arrival="steps", steps=tuple(Step(rate_per_s=rate, duration_s=20.0) for rate in (2.0, 4.0, 8.0))),
    },
    "client_overhead": {
        "names": [f"claude-haiku-4-5/global/invoke/{client}" for client in ("wire", "aioboto3", "anthropic")],
        "requests": 160,
    },
}
"""What `make_run` takes for the figures that most runs do not have."""

MakeRun = Callable[..., RunView]


def wilson(k: int, n: int, z: float = 1.96) -> Interval:
    p = k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(value=p, low=float(max(0.0, middle - half)), high=float(min(1.0, middle + half)))


def quantiles(values: np.ndarray) -> Quantiles | None:
    x = np.sort(values[np.isfinite(values)])
    if not len(x):
        return None

    def interval(q: float) -> Interval:
        low, high = int(binom.ppf(0.025, len(x), q)), int(binom.ppf(0.975, len(x), q)) + 1
        bound = len(x) >= np.log(0.025) / np.log(max(q, 1 - q))
        return Interval(
            value=float(np.quantile(x, q)),
            low=float(x[low - 1]) if low >= 1 else None,
            high=float(x[high - 1]) if bound and high <= len(x) else None,
        )

    p50, p90, p95, p99 = (interval(q) for q in (0.5, 0.9, 0.95, 0.99))
    return Quantiles(n=len(x), p50=p50, p90=p90, p95=p95, p99=p99, mean=float(x.mean()))


def make_columns(name: str, n: int, failure_rate: float, rng: np.random.Generator, load: Load = CLOSED) -> Columns:
    ttft, speed, skill, price = SPEED.get(name.split("/")[0], (0.9, 90.0, 0.9, 2.0))
    if "/us/" in name:
        ttft, price = ttft * 0.9, price * 1.1
    due = np.sort(rng.uniform(0, n * 0.4, n))
    if load.steps:
        ends = np.cumsum(
            [[0, 0], *([step.rate_per_s * step.duration_s, step.duration_s] for step in load.steps)], axis=0
        )
        due = np.interp(due / (n * 0.4) * ends[-1, 0], ends[:, 0], ends[:, 1])
    ok = rng.random(n) >= failure_rate
    tokens = rng.integers(20, 280, n).astype(float)
    first = np.where(ok, due + rng.lognormal(np.log(ttft), 0.45, n), np.nan)
    last = first + (tokens - 1) / (speed * rng.normal(1, 0.12, n).clip(0.5))
    inputs = rng.integers(60, 400, n).astype(float)
    return Columns(
        target=name,
        request_id=np.array([f"{i}-0" for i in range(n)], dtype=object),
        prompt_id=np.array([f"p{i % 40:02d}" for i in range(n)], dtype=object),
        group_id=np.array([f"p{i % 40:02d}" for i in range(n)], dtype=object),
        repeat=np.arange(n) // 40,
        due_s=due,
        first_try_sent_s=due + rng.exponential(0.001, n),
        sent_s=due + rng.exponential(0.001, n),
        first_s=first,
        last_s=last,
        done_s=np.where(ok, last + 0.004, due + 0.05),
        attempts=np.where(ok, 1, 3),
        ok=ok,
        error_kind=np.array([None if k else rng.choice(["throttled", "throttled", "unavailable"]) for k in ok], object),
        input_tokens=np.where(ok, inputs, np.nan),
        output_tokens=np.where(ok, tokens, np.nan),
        cost_usd=np.where(ok, (inputs + 5 * tokens) * price / 1e6, np.nan),
        passed=(ok & (rng.random(n) < skill)).astype(float),
        server_latency_s=np.where(ok, last - due - 0.01, np.nan),
        server_first_byte_s=np.where(ok, first - due - 0.008, np.nan),
    )


def over_time(c: Columns, due: np.ndarray) -> AttemptsOverTime:
    """As the loader counts them: every failed request with all its attempts in the bin in which it was due."""
    start, bins = due.min(), 60
    width = max(float(np.ptp(due)) / bins, 1e-3)
    at = np.minimum((c.due_s - start) // width, bins - 1).astype(int)

    def count(chosen: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.bincount(at[chosen], weights=weights[chosen], minlength=bins).astype(np.int64)

    kinds = dict.fromkeys(kind for kind in c.error_kind if kind is not None)
    return AttemptsOverTime(
        start_s=float(start),
        width_s=width,
        attempts=count(np.ones(len(at), bool), c.attempts),
        retries=count(~c.ok, c.attempts - 1),
        errors={kind: count(c.error_kind == kind, c.attempts) for kind in kinds},
    )


def finish_run(columns: dict[str, Columns], summary: RunSummary, load: Load) -> FinishedRun:
    """The run behind the columns: targets by name, the prices that its costs were made with, and its load."""
    targets, prices, counts = [], [], {}
    due = np.concatenate([c.due_s for c in columns.values()] or [np.zeros(1)])
    for name, c in columns.items():
        model, routing, api, client, *_ = [*name.split("/"), "us", "converse", "aioboto3"][:4]
        base = f"anthropic.{model}"
        targets.append(
            Target(name=name, model=model, base_model=base, model_id=f"{routing}.{base}", routing=routing,
                   api=api, client=client, region="us-east-1")
        )  # fmt: skip
        price = SPEED.get(model, (0.9, 90.0, 0.9, 2.0))[3] * (1.1 if "/us/" in name else 1.0)
        rates = Price(input=price, output=5 * price, source="test", as_of=None)
        prices.append(TargetPrice(target=name, price=rates))
        counts[name] = AttemptCounts(
            attempts=int(c.attempts.sum()), error_kinds={}, input_tokens=0, output_tokens=0, cache_read_tokens=0,
            cache_write_tokens=0, cost_usd=None, over_time=over_time(c, due),
        )  # fmt: skip
    ids = dict.fromkeys(prompt for c in columns.values() for prompt in c.prompt_id.tolist())
    suite = Suite(
        name=summary.suite,
        digest=summary.suite_digest,
        endpoint="simulator",
        targets=tuple(targets),
        prompts=tuple(Prompt(id=each, messages=(Message(role="user", content="?"),)) for each in ids),
        load=load,
        slo=Slo(ttft_s=2.0, e2e_s=4.0),
    )
    manifest = new_manifest(suite, endpoint="simulator", simulated=True, seed=1, planned=None)
    manifest = msgspec.structs.replace(manifest, prices=tuple(prices))
    return FinishedRun(manifest=manifest, suite=suite, data=RunData(columns=columns, counts=counts, recorded=0))


def summarise(name: str, c: Columns) -> TargetSummary:
    n, ok = len(c.ok), int(c.ok.sum())
    span = float(np.nanmax(c.done_s) - c.due_s.min())
    kinds: dict[str, int] = {}
    for kind, tries in zip(c.error_kind, c.attempts, strict=True):
        if kind is not None:
            kinds[kind] = kinds.get(kind, 0) + int(tries)
    cost = float(np.nansum(c.cost_usd)) if ok else None
    passed = int(np.nansum(c.passed))
    streams = (c.output_tokens - 1) / (c.last_s - c.first_s)
    parts = [*name.split("/"), "us", "converse"]
    return TargetSummary(
        target=name,
        base_model=f"anthropic.{parts[0]}",
        routing=parts[1],
        api=parts[2],
        client="aioboto3",
        region="us-east-1",
        requests=n,
        attempts=int(c.attempts.sum()),
        succeeded=ok,
        success_rate=wilson(ok, n),
        scored=n,
        passed=passed,
        pass_rate=wilson(passed, n),
        pass_rate_by_tag={
            tag: wilson(int(np.nansum(c.passed[i :: len(TAGS)])), len(c.passed[i :: len(TAGS)]))
            for i, tag in enumerate(TAGS[:n])
        },
        ttft_s=quantiles(c.first_s - c.due_s),
        ttft_from_sent_s=quantiles(c.first_s - c.sent_s),
        e2e_s=quantiles(np.where(c.ok, c.done_s - c.due_s, np.nan)),
        tpot_s=quantiles(1 / streams),
        queue_delay_s=quantiles(c.sent_s - c.due_s),
        stream_tokens_per_s=quantiles(streams),
        output_tokens_per_s=float(np.nansum(c.output_tokens)) / span,
        achieved_per_s=ok / span,
        offered_per_s=None,
        goodput_per_s=None,
        error_kinds=dict(sorted(kinds.items(), key=lambda item: -item[1])),
        error_messages={kind: f"<b>{kind}</b> | slow down" for kind in kinds},
        throttled_attempts=kinds.get("throttled", 0),
        input_tokens=int(np.nansum(c.input_tokens)),
        output_tokens=int(np.nansum(c.output_tokens)),
        cache_read_tokens=0,
        cache_write_tokens=0,
        cost_usd=cost,
        cost_per_request_usd=None if cost is None else cost / n,
        cost_per_1000_usd=None if cost is None else 1000 * cost / n,
        cost_per_correct_usd=None if cost is None or not passed else cost / passed,
    )


def winners(targets: Sequence[TargetSummary]) -> list[Winner]:
    able = [t for t in targets if t.ttft_s and t.e2e_s and t.pass_rate]
    if len(able) < 2:
        return []
    quality = max(able, key=lambda t: t.pass_rate.value)
    fast = min(able, key=lambda t: t.ttft_s.p50.value)
    cheap = min(able, key=lambda t: t.cost_per_correct_usd)
    rivals = len(able) - 1
    others = [t.target for t in able if t is not quality]
    return [
        Winner(
            metric="pass rate",
            target=quality.target,
            value=quality.pass_rate.value,
            unit="share",
            rivals=rivals,
            close=others,
            clear=False,
        ),
        Winner(metric="TTFT p50", target=fast.target, value=fast.ttft_s.p50.value, unit="s", rivals=rivals, clear=True),
        Winner(
            metric="cost per correct answer",
            target=cheap.target,
            value=cheap.cost_per_correct_usd,
            unit="usd",
            rivals=rivals,
            clear=True,
        ),
    ]


def pair_up(names: Sequence[str]) -> list[RoutingPair]:
    """The first two targets as a global and a regional one."""
    if len(names) < 2:
        return []
    return [
        RoutingPair(
            model=names[1].partition("/")[0],
            routing="us",
            worldwide=names[0],
            regional=names[1],
            price_premium=0.1,
            ttft_p50_apart=False,
            e2e_p95_apart=True,
            success_rate_apart=False,
        )
    ]


@pytest.fixture(scope="session")
def make_run() -> MakeRun:
    """A view of a made-up run: `requests` per target, failing at `failure_rate`; `**changes` go to the summary.

    Tests that ask for the same get the same, so its arrays cannot be written to.
    """

    def make(
        *,
        names: Sequence[str] = NAMES,
        requests: int = 40,
        failure_rate: float = 0.05,
        seed: int = 7,
        load: Load = CLOSED,
        **changes: object,
    ) -> RunView:
        rng = np.random.default_rng(seed)
        columns = {name: make_columns(name, requests, failure_rate, rng, load) for name in names}
        for array in (each for c in columns.values() for each in vars(c).values() if isinstance(each, np.ndarray)):
            array.flags.writeable = False
        targets = [summarise(name, columns[name]) for name in names]
        facts: dict[str, object] = {
            "schema_version": 1,
            "run_id": "20261122T024000Z-quickstart-a1b2c3",
            "suite": "quickstart",
            "suite_digest": "9f86d081884c",
            "started_utc": "2026-11-22T02:40:00Z",
            "duration_s": requests * 0.4 + 3,
            "simulated": True,
            "endpoint": "simulator",
            "state": "complete",
            "level": 0.95,
            "targets": targets,
            "winners": winners(targets),
            "routings": pair_up(names),
            "findings": [
                Finding(
                    what=f"p99 rests on {requests} samples and has no upper bound",
                    remedy="ask for at least 368 requests per target (--repeats 10)",
                )
            ],
            "total_cost_usd": sum(t.cost_usd or 0 for t in targets),
        }
        summary = RunSummary(**{**facts, "arrival": load.arrival, **changes})  # type: ignore[arg-type]
        return make_view(summary, columns, finish_run(columns, summary, load))

    made: dict[str, RunView] = {}

    def make_once(**asked: object) -> RunView:
        key = repr(sorted(asked.items()))
        if key not in made:
            made[key] = make(**asked)  # type: ignore[arg-type]
        return made[key]

    return make_once


def draw_every_figure(make_run: MakeRun, formats: tuple[str, ...] = DEFAULT_FORMATS, **changes: Any) -> list[Picture]:
    """Of one run, and those in FIT_RUNS of the run that has what they need. `changes`: of these runs."""
    usual = tuple(name for name in FIGURES if name not in FIT_RUNS)
    drawn = draw_run(make_run(**changes), Plots(figures=usual, formats=formats))
    for name, run in FIT_RUNS.items():
        drawn += draw_run(make_run(**run, **changes), Plots(figures=(name,), formats=formats))
    return drawn


@pytest.fixture(scope="session")
def pictures(make_run: MakeRun, made_once: Any) -> dict[str, Picture]:
    """Every figure by name: of that run, or of one in FIT_RUNS."""
    return {picture.name: picture for picture in made_once("pictures", lambda: draw_every_figure(make_run))}


def arm(target: str, run_id: str = "20261122T024000Z-quickstart-a1b2c3", **changes: object) -> Arm:
    model, routing, api, *_ = [*target.split("/"), "us", "converse"]
    facts: dict[str, object] = {
        "run_id": run_id,
        "target": target,
        "model_id": f"{routing}.anthropic.{model}",
        "routing": routing,
        "api": api,
        "client": "aioboto3",
        "region": "us-east-1",
        "requests": 120,
        "failed": 2,
    }
    return Arm(**{**facts, **changes})  # type: ignore[arg-type]


RATIO: dict[str, object] = {"scale": "log_ratio", "unit": "s", "n": 118, "method": "time-blocks", "clusters": 40}
POINTS: dict[str, object] = {"scale": "points", "unit": "share", "n": 40, "method": "newcombe-paired", "clusters": 40}
COST: dict[str, object] = {**RATIO, "unit": "usd", "method": "paired-t", "n": 40}
ROWS = (
    Difference(metric="pass_rate", baseline=0.95, candidate=0.9, estimate=0.05, low=-0.01, high=0.12, margin=0.05,
               margin_written="5pp", n_needed=248, p_value=0.08, p_adjusted=0.16, **POINTS),
    Difference(metric="error_rate", baseline=0.01, candidate=0.01, estimate=0.0, low=-0.004, high=0.006, margin=0.01,
               margin_written="1pp", verdict="no_worse", **POINTS),
    Difference(metric="ttft_p95", baseline=1.3, candidate=1.612, estimate=0.2151, low=0.1655, high=0.27, margin=0.1398,
               margin_written="15%", verdict="worse", p_value=0.001, p_adjusted=0.004, **RATIO),
    Difference(metric="e2e_p99", baseline=3.3, candidate=3.1, estimate=-0.0625, low=-0.2, high=None, margin=0.1398,
               margin_written="15%", n_needed=368, note="no upper bound below n = 368", **RATIO),
    Difference(metric="cost_per_request", baseline=0.0012, candidate=0.0009, estimate=-0.2877, low=-0.31, high=-0.26,
               margin=0.0953, margin_written="10%", verdict="better", **COST),
    Difference(metric="pass_rate[facts]", baseline=1.0, candidate=0.8, estimate=0.2, low=0.02, high=0.4,
               p_adjusted=0.08, exploratory=True, verdict="worse", **{**POINTS, "n": 10}),
)  # fmt: skip
DRIFT = Drift(
    cost_ratio=0.75,
    price_ratio=0.33,
    token_ratio=2.27,
    input_token_ratio=1.02,
    output_token_ratio=2.6,
    baseline_cost_per_correct_usd=0.0013,
    candidate_cost_per_correct_usd=0.001,
    summary="cost −25%: a third of the price, 2.6 × the output tokens (token drift)",
)


@pytest.fixture(scope="session")
def make_comparison() -> Callable[..., Comparison]:
    """A candidate that is worse on TTFT alone; `**changes` go to the comparison."""

    def make(**changes: object) -> Comparison:
        flips = (
            Flip(prompt_id="capital-fr", tags=("facts",), direction="worse",
                 baseline=Outcomes(passed=3, scored=3), candidate=Outcomes(passed=1, scored=3),
                 baseline_answer="Paris", candidate_answer="Lyon", reason="is not 'Paris'"),
            Flip(prompt_id="sum", direction="better", baseline=Outcomes(passed=1, scored=2),
                 candidate=Outcomes(passed=2, scored=2, unscored=1),
                 baseline_answer="46", candidate_answer="47"),
        )  # fmt: skip
        facts: dict[str, object] = {
            "baseline": arm("claude-sonnet-4-5/global/converse"),
            "candidate": arm("claude-haiku-4-5/global/converse"),
            "verdict": "worse",
            "differences": ROWS,
            "prompts": 40,
            "only_candidate": ("new-prompt",),
            "flips": flips,
            "lost": 1,
            "gained": 1,
            "drift": DRIFT,
        }
        return Comparison(**{**facts, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def make_report(make_comparison: Callable[..., Comparison]) -> Callable[..., CompareReport]:
    """A report on such comparisons; `**changes` go to the report, `rows` to the one comparison."""

    def make(**changes: Any) -> CompareReport:
        rows = changes.pop("rows", ROWS)
        facts: dict[str, Any] = {
            "suite": "quickstart",
            "suite_digest": "9f86d081884c",
            "simulated": True,
            "level": 0.95,
            "comparisons": (make_comparison(differences=rows),),
            "verdict": "worse",
            "family": 5,
        }
        return CompareReport(**{**facts, **changes})

    return make
