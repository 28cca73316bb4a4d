"""Does the verdict keep its promises? Simulated answers and latencies, the harness's own analysis, no network.

    python benchmarks/verdicts.py            the whole table, about ten minutes on one core
    python benchmarks/verdicts.py --quick    a few rounds of everything, to see that it runs

Three promises: false `worse` in A/A comparisons at most 5 % of families, also where answers near in time are slow
together; each interval covers the truth in 93 to 97 % of samples (95 nominal); a known difference is found as often as
the formulas say. What a table says of more than 97 %
is conservative: the interval is wider than it need be, and the verdict `inconclusive` more often.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from harness.analysis.columns import AttemptCounts, Columns, RunData
from harness.analysis.compare.compare import compare_targets
from harness.analysis.compare.comparison import CompareReport
from harness.analysis.compare.detectable import find_detectable
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.stats.interval import Effect
from harness.analysis.stats.means import mean_difference
from harness.analysis.stats.power import (
    pairs_for_difference,
    pairs_for_equivalence,
    samples_for_ratio,
)
from harness.analysis.stats.proportions import clustered_difference, independent_difference, paired_difference, wilson
from harness.analysis.stats.quantiles import is_bounded
from harness.analysis.stats.time_blocks import Answers, compare_quantiles
from harness.catalog.target import Target
from harness.store.manifest import new_manifest
from harness.suite.suite import Check, Load, Prompt, Suite

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator
SEED = 20261125
GATE = {"pass_rate": "5pp", "error_rate": "1pp", "ttft_p95": "15%", "e2e_p50": "10%", "cost_per_request": "10%"}
LATENCY_CORRELATION, PROMPT_SPREAD, REQUEST_SPREAD = 0.7, 0.3, 0.4


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    name: str
    cells: tuple[str, ...]


# --- answers and latencies ------------------------------------------------------------------------------------------


def draw_answers(
    rng: Rng, prompts: int, repeats: int, rates: tuple[float, float], *, groups_of: int = 1, alike: float = 0.5
) -> tuple[Floats, Floats]:
    """Mean outcome of each prompt in both arms: chances from Beta distributions, the same quantile for both arms.

    `alike`: share of the outcomes' variance that is the prompt's own. Prompts of a group share their chance.
    """
    count = 1 / alike - 1
    place = np.repeat(rng.random(math.ceil(prompts / groups_of)), groups_of)[:prompts]
    chances = [betaincinv(rate * count, (1 - rate) * count, place) for rate in rates]
    return tuple(rng.binomial(repeats, chance) / repeats for chance in chances)  # type: ignore[return-value]


def draw_latencies(rng: Rng, prompts: int, repeats: int, *, shift: float = 0.0) -> tuple[Floats, Floats]:
    """Lognormal latencies of both arms, prompts × repeats: prompts are slow or fast in both arms alike, mostly."""
    first = rng.normal(size=prompts)
    own = math.sqrt(1 - LATENCY_CORRELATION**2) * rng.normal(size=prompts)
    both = [first, LATENCY_CORRELATION * first + own]
    logs = [
        np.repeat(PROMPT_SPREAD * each, repeats) + REQUEST_SPREAD * rng.normal(size=prompts * repeats) for each in both
    ]
    return np.exp(logs[0]), np.exp(logs[1] + shift)


# --- coverage -------------------------------------------------------------------------------------------------------


def coverage(scale: float, sizes: tuple[int, ...], truth: float, draw: Callable[[Rng, int], Effect]) -> tuple[str, ...]:
    """For each number of prompts the share of 2000 rounds whose interval holds the truth, in %."""
    rng, rounds = np.random.default_rng(SEED), max(5, round(2000 * scale))
    return tuple(f"{100 * np.mean([_holds(draw(rng, n), truth) for _ in range(rounds)]):.1f}" for n in sizes)


def coverage_rows(scale: float, sizes: tuple[int, ...]) -> Iterator[Row]:
    """One row a method and kind of data, one cell a number of prompts."""
    for rates in ((0.97, 0.97), (0.85, 0.80), (0.60, 0.60)):
        for repeats, of in ((1, 1), (3, 1), (1, 4), (3, 4)):
            told = ", ".join((f"pass rate {rates[0]:.0%} against {rates[1]:.0%}", *_data(repeats, of)))
            method = "newcombe-paired" if (repeats, of) == (1, 1) else "newcombe-clustered"
            draw = partial(rate_effect, rates=rates, repeats=repeats, of=of)
            yield Row(f"{told}: `{method}`", coverage(scale, sizes, rates[1] - rates[0], draw))
    for shares in ((0.0, 0.02), (0.05, 0.10)):
        told = f"throttled {shares[0]:.0%} against {shares[1]:.0%} of 3n attempts: `newcombe-independent`"
        draw = partial(throttle_effect, shares=shares)
        yield Row(told, coverage(scale, sizes, shares[1] - shares[0], draw))
    for of, method in ((1, "paired-t"), (4, "cluster-t")):
        told = ", ".join(("cost, skewed log ratios", *_data(1, of)))
        yield Row(f"{told}: `{method}`", coverage(scale, sizes, 0.1, partial(cost_effect, of=of)))
    yield from latency_rows(scale, sizes)


def rate_effect(rng: Rng, n: int, *, rates: tuple[float, float], repeats: int, of: int) -> Effect:
    """One comparison of pass rates."""
    baseline, candidate = draw_answers(rng, n, repeats, rates, groups_of=of)
    if repeats == of == 1:
        return paired_difference(candidate, baseline)
    return clustered_difference(candidate, baseline, np.arange(n) // of, answers=n * repeats)


def throttle_effect(rng: Rng, n: int, *, shares: tuple[float, float]) -> Effect:
    """One comparison of throttle rates."""
    baseline, candidate = (rng.binomial(3 * n, share) for share in shares)
    return independent_difference(candidate, 3 * n, baseline, 3 * n)


def cost_effect(rng: Rng, n: int, *, of: int) -> Effect:
    """One comparison of costs: log ratios with mean 0.1, skewed, with a part that a group shares."""
    shared = np.repeat(rng.normal(size=math.ceil(n / of)), of)[:n]
    return mean_difference(0.1 + 0.2 * shared + 0.3 * (rng.gamma(2, size=n) - 2), np.arange(n) // of)


def _data(repeats: int, of: int) -> Iterator[str]:
    yield f"{repeats} repeats" if repeats > 1 else "asked once"
    if of > 1:
        yield f"groups of {of}"


def latency_rows(scale: float, sizes: tuple[int, ...]) -> Iterator[Row]:
    """Quantiles share their samples, as they do in a comparison; 1500 rounds up to 100 prompts, 500 above."""
    rng, truth = np.random.default_rng(SEED), math.log(1.1)
    quantiles = (0.5, 0.95, 0.99)
    for repeats in (1, 3):
        shares: dict[tuple[float, int], str] = {}
        for n in sizes:
            rounds = max(5, round(scale * (1500 if n <= 100 else 500)))
            held = dict.fromkeys(quantiles, 0)
            for _ in range(rounds):
                old, new = draw_latencies(rng, n, repeats, shift=truth)
                effects = compare_quantiles(_asked(new, repeats), _asked(old, repeats), quantiles)
                for q, effect in zip(quantiles, effects, strict=True):
                    held[q] += _holds(effect, truth)
            shares |= {(q, n): f"{100 * held[q] / rounds:.1f}" for q in quantiles if is_bounded(q, n * repeats, n)}
        asked = f"{repeats} repeats" if repeats > 1 else "asked once"
        for q in quantiles:
            yield Row(
                f"latency p{round(100 * q)}, {asked}: `time-blocks`", tuple(shares.get((q, n), "–") for n in sizes)
            )


def _asked(values: Floats, repeats: int) -> Answers:
    """Latencies, prompt by prompt, of prompts asked in rounds, four answers a second."""
    prompts = np.arange(len(values) // repeats)
    rounds = np.tile(np.arange(repeats), len(prompts))
    codes = np.repeat(prompts, repeats)
    return Answers(values=values, clusters=codes, due_s=(rounds * len(prompts) + codes) / 4)


def _holds(effect: Effect, truth: float) -> bool:
    """A bound that is not given rules nothing out."""
    return (effect.low is None or effect.low <= truth) and (effect.high is None or truth <= effect.high)


# --- whole comparisons ----------------------------------------------------------------------------------------------


def draw_side(
    rng: Rng, prompts: int, repeats: int, *, candidates: int, skill: float = 0.0, slower: float = 0.0
) -> FinishedRun:
    """A run of a baseline and its candidates, which are the same but for `skill` (points) and `slower` (ln)."""
    names = ["baseline", *(f"candidate-{at}" for at in range(1, candidates + 1))]
    suite = Suite(
        name="simulated",
        digest="",
        endpoint="simulator",
        targets=tuple(_target(name) for name in names),
        prompts=tuple(Prompt(id=f"p{i:04d}", messages=(), checks=(Check(type="exact"),)) for i in range(prompts)),
        baseline="baseline",
        load=Load(warmup=1, repeats=repeats),
        gate=GATE,
    )
    hardness, length = rng.random(prompts), rng.normal(size=prompts)
    columns = {
        name: _columns(name, rng, hardness, length, repeats, skill=skill * bool(at), slower=slower * bool(at))
        for at, name in enumerate(names)
    }
    manifest = new_manifest(suite, endpoint="simulator", simulated=True, seed=SEED, planned=None)
    counts = {name: _counts(c) for name, c in columns.items()}
    return FinishedRun(
        manifest=msgspec.structs.replace(manifest, state="complete"),
        suite=suite,
        data=RunData(columns=columns, counts=counts, recorded=prompts * repeats * len(names)),
    )


def _target(name: str) -> Target:
    return Target(
        name=name,
        model="claude-haiku-4-5",
        base_model="anthropic.claude-haiku-4-5-20251001-v1:0",
        model_id="global.anthropic.claude-haiku-4-5-20251001-v1:0",
        routing="global",
        api="converse",
        client="wire",
        region="us-east-1",
    )


def _columns(
    name: str, rng: Rng, hardness: Floats, length: Floats, repeats: int, *, skill: float, slower: float
) -> Columns:
    """Half of an outcome's, a latency's and a cost's variance is the prompt's own; 1 % of requests fail."""
    n = len(hardness) * repeats
    prompt = np.repeat(np.arange(len(hardness)), repeats)
    ids = np.array([f"p{i:04d}" for i in prompt], dtype=object)
    ok = rng.random(n) >= 0.01
    chance = betaincinv(0.88 - skill, 0.12 + skill, hardness)[prompt]
    due = np.arange(n, dtype=np.float64) * 0.5
    ttft = np.exp(0.3 * length[prompt] + 0.4 * rng.normal(size=n) + slower)
    tokens = np.round(100 * np.exp(0.4 * length[prompt] + 0.2 * rng.normal(size=n)))
    e2e = ttft + 0.01 * tokens * math.exp(slower)
    return Columns(
        target=name,
        request_id=np.array([f"{i:06d}-{name}" for i in range(n)], dtype=object),
        prompt_id=ids,
        group_id=ids,
        repeat=np.tile(np.arange(repeats), len(hardness)),
        due_s=due,
        first_try_sent_s=due,
        sent_s=due,
        first_s=due + ttft,
        last_s=due + e2e - 0.001,
        done_s=due + e2e,
        attempts=np.ones(n, dtype=np.int64),
        ok=ok,
        error_kind=np.where(ok, None, "server_error"),
        input_tokens=np.full(n, 200.0),
        output_tokens=np.where(ok, tokens, np.nan),
        cost_usd=np.where(ok, (200 + 5 * tokens) / 1e6, np.nan),
        passed=np.where(ok, (rng.random(n) < chance).astype(np.float64), 0.0),
    )


def _counts(c: Columns) -> AttemptCounts:
    failed = int((~c.ok).sum())
    return AttemptCounts(
        attempts=len(c.ok),
        error_kinds={"server_error": failed} if failed else {},
        input_tokens=int(np.nansum(c.input_tokens)),
        output_tokens=int(np.nansum(c.output_tokens)),
        cache_read_tokens=0,
        cache_write_tokens=0,
        cost_usd=float(np.nansum(c.cost_usd)),
    )


def reports(rounds: int, prompts: int, repeats: int, *, candidates: int, **changes: float) -> list[CompareReport]:
    """So many comparisons of freshly drawn runs."""
    rng = np.random.default_rng([SEED, prompts, repeats])
    return [compare_targets(draw_side(rng, prompts, repeats, candidates=candidates, **changes)) for _ in range(rounds)]


def false_alarm_rows(scale: float) -> Iterator[Row]:
    """A/A: the same target thrice, 2 candidates × 5 metrics in a family."""
    for prompts, repeats, rounds in ((20, 1, 400), (100, 1, 400), (100, 3, 100)):
        found = reports(max(1, round(scale * rounds)), prompts, repeats, candidates=2)
        rows = [[row for c in report.comparisons for row in c.differences if not row.exploratory] for report in found]
        share = {
            "worse": [report.verdict == "worse" for report in found],
            "significant": [any(_significant(row.p_adjusted, row.low) for row in family) for family in rows],
            "uncorrected": [any(_significant(row.p_value, row.low) for row in family) for family in rows],
            "better": [any(row.verdict == "better" for row in family) for family in rows],
        }
        asked = f"{repeats} repeats" if repeats > 1 else "asked once"
        cells = (f"{len(found)}", *(f"{100 * np.mean(each):.1f}" for each in share.values()))
        yield Row(f"{prompts} prompts, {asked}", cells)


def _significant(p_value: float | None, low: float | None) -> bool:
    return p_value is not None and p_value < 0.05 and low is not None and low > 0


# --- dependence in time ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class World:
    """A minute and more of a service, asked four times a second unless `seconds` says otherwise."""

    prompts: int = 240
    repeats: int = 1
    seconds: float = 60.0
    stalls: float = 0.0
    """A minute, of each arm on its own."""
    common: float = 0.0
    """A minute, of both arms at once."""
    stall_s: float = 4.0
    persistence: float = 0.0
    """Correlation of one answer's own part with the next one's: AR(1)."""
    alike: float = LATENCY_CORRELATION
    """Correlation of the prompts' parts between the arms."""
    prompt_spread: float = PROMPT_SPREAD
    request_spread: float = REQUEST_SPREAD
    ratio: float = 1.0
    """How much slower the candidate is."""

    def draw(self, rng: Rng) -> tuple[Answers, Answers]:
        """Baseline and candidate: log-normal around 0.5 s, and 2 s more during a stall."""
        n = self.prompts * self.repeats
        due = np.arange(n) * self.seconds / n
        codes = np.concatenate([rng.permutation(self.prompts) for _ in range(self.repeats)])
        first = rng.normal(size=self.prompts)
        second = self.alike * first + math.sqrt(1 - self.alike**2) * rng.normal(size=self.prompts)
        common = self._stalled(rng, due, self.common)
        arms = []
        for own, ratio in ((first, 1.0), (second, self.ratio)):
            noise = rng.normal(size=n)
            for i in range(1, n if self.persistence else 0):
                noise[i] = self.persistence * noise[i - 1] + math.sqrt(1 - self.persistence**2) * noise[i]
            values = 0.5 * ratio * np.exp(self.prompt_spread * own[codes] + self.request_spread * noise)
            stalled = common | self._stalled(rng, due, self.stalls)
            arms.append(Answers(values=values + 2.0 * stalled, clusters=codes, due_s=due))
        return arms[0], arms[1]

    def _stalled(self, rng: Rng, due: Floats, rate: float) -> npt.NDArray[np.bool_]:
        span = self.seconds + self.stall_s
        starts = rng.uniform(-self.stall_s, self.seconds, rng.poisson(rate / 60 * span))
        return ((due >= starts[:, None]) & (due < starts[:, None] + self.stall_s)).any(axis=0)


STRONGLY = {"alike": 0.95, "prompt_spread": 0.8, "request_spread": 0.2}
WORLDS = {
    "independent": World(),
    "independent, prompts strongly alike": World(**STRONGLY),
    "independent, prompts not alike": World(alike=0.0),
    "0.5 stalls a minute of 15 s, 300 s": World(prompts=1000, seconds=300, stalls=0.5, stall_s=15),
    "1 in 5 minutes of 15 s, 300 s": World(prompts=1000, seconds=300, stalls=0.2, stall_s=15),
    "1 a minute of 4 s": World(stalls=1),
    "1 a minute of 4 s, prompts strongly alike": World(stalls=1, **STRONGLY),
    "2 a minute of 3 s": World(stalls=2, stall_s=3),
    "2 a minute of 3 s, prompts strongly alike": World(stalls=2, stall_s=3, **STRONGLY),
    "both arms at once, 2 a minute of 3 s": World(common=2, stall_s=3),
    "AR(1), 0.9 from answer to answer": World(persistence=0.9),
    "80 prompts asked 3 times": World(prompts=80, repeats=3),
    "80 prompts asked 3 times, 1 stall a minute of 4 s": World(prompts=80, repeats=3, stalls=1),
    "80 prompts asked 3 times, strongly alike": World(prompts=80, repeats=3, **STRONGLY),
}
"""A/A: one target against itself, with stalls that each arm has at moments of its own."""
MARGIN = math.log(1.25)


def time_rows(scale: float) -> Iterator[Row]:
    """A/A in every world: `worse` and `better` at the margin of 25 %, and how often the interval holds 0."""
    for name, world in WORLDS.items():
        rng, cells = np.random.default_rng(SEED), []
        rounds = [_both_quantiles(rng, world) for _ in range(max(5, round(400 * scale)))]
        for effects in zip(*rounds, strict=True):
            cells.append(_share([_is_worse(effect) for effect in effects]))
            cells.append(_share([_is_worse(effect, sign=-1) for effect in effects]))
            cells.append(_share([_holds(effect, 0.0) for effect in effects]))
            open_ended = [effect.low is None or effect.high is None for effect in effects]
            cells.append(f"{100 * np.mean(open_ended):.0f}")
        yield Row(name, tuple(cells))


def time_power_rows(scale: float) -> Iterator[Row]:
    """Known differences of twice the margin: how often the verdict is `worse`, in a family of one."""
    for told, at, world in (
        ("p50 +35 %, 1 stall a minute of 4 s", 0, World(prompts=445, seconds=445 / 4, stalls=1, ratio=1.35)),
        ("p95 +50 %, no stalls", 1, World(ratio=1.5)),
        ("p95 +50 %, 1 stall a minute of 4 s", 1, World(stalls=1, ratio=1.5)),
    ):
        rng = np.random.default_rng(SEED + 2)
        found = [_both_quantiles(rng, world)[at] for _ in range(max(5, round(400 * scale)))]
        cells = (_share([_is_worse(e) for e in found]), _share([e.low is not None and e.low > 0 for e in found]))
        yield Row(told, (f"{world.prompts}", *cells))


def _both_quantiles(rng: Rng, world: World) -> list[Effect]:
    baseline, candidate = world.draw(rng)
    return compare_quantiles(candidate, baseline, (0.5, 0.95))


def _is_worse(effect: Effect, sign: int = 1) -> bool:
    bound = effect.low if sign > 0 else effect.high
    significant = effect.p_value is not None and effect.p_value < 0.05 and bound is not None and sign * bound > 0
    return significant and sign * effect.estimate >= MARGIN


def _share(hits: list[bool]) -> str:
    """Of the rounds, in %, with Wilson's 95 % interval: what so few rounds leave open."""
    share = wilson(sum(hits), len(hits))
    return f"{100 * share.value:.1f} ({100 * (share.low or 0.0):.1f}–{100 * (share.high or 0.0):.1f})"


# --- power ----------------------------------------------------------------------------------------------------------


def power_rows(scale: float) -> Iterator[Row]:
    """What the formulas promise at their own n: 80 %."""
    rng = np.random.default_rng(SEED + 1)
    rounds = max(5, round(2000 * scale))
    for discordance, difference in ((0.10, 0.03), (0.10, 0.05), (0.20, 0.05), (0.20, 0.10)):
        n = pairs_for_difference(difference, discordance)
        tables = _tables(rng, n, discordance, difference, rounds)
        found = [effect.p_value is not None and effect.p_value < 0.05 and (effect.low or 0) > 0 for effect in tables]
        told = f"{100 * difference:.0f} points, {discordance:.0%} discordant: significant"
        yield Row(told, (f"{n}", "80", f"{100 * np.mean(found):.1f}"))
    for discordance, margin in ((0.10, 0.05), (0.20, 0.05)):
        n = pairs_for_equivalence(margin, discordance)
        found = [
            effect.high is not None and effect.high < margin for effect in _tables(rng, n, discordance, 0.0, rounds)
        ]
        told = f"no difference, {discordance:.0%} discordant: not worse than {100 * margin:.0f} points"
        yield Row(told, (f"{n}", "80", f"{100 * np.mean(found):.1f}"))
    for q, ratio in ((0.5, 1.15), (0.95, 1.25)):
        n = samples_for_ratio(q, math.log(ratio), spread=math.hypot(PROMPT_SPREAD, REQUEST_SPREAD), alpha=0.025)
        hits = []
        for _ in range(max(5, round(300 * scale))):
            old, new = draw_latencies(rng, n, 1, shift=math.log(ratio))
            effect = compare_quantiles(_asked(new, 1), _asked(old, 1), [q])[0]
            hits.append(effect.low is not None and effect.low > 0)
        told = f"p{round(100 * q)} {ratio - 1:+.0%}: significant (the formula counts unpaired)"
        yield Row(told, (f"{n}", "≥ 80", f"{100 * np.mean(hits):.1f}"))
    family = "2 candidates × 5 metrics: verdict `worse` at the dry run's n"
    foreseen = {each.metric: each for each in find_detectable(draw_side(rng, 20, 1, candidates=2).suite).metrics}
    for changes, metric, told in (
        ({"skill": 0.10}, "pass_rate", f"10 points less skill, margin 5, {family}"),
        ({"slower": 2 * math.log(1.15)}, "ttft_p95", f"TTFT +32 %, margin 15 %, {family}"),
    ):
        prompts = foreseen[metric].prompts_for_worse or 0
        found_reports = reports(max(1, round(60 * scale)), prompts, 1, candidates=2, **changes)
        rows = [r for report in found_reports for c in report.comparisons for r in c.differences if r.metric == metric]
        yield Row(told, (f"{prompts}", "80", f"{100 * np.mean([row.verdict == 'worse' for row in rows]):.1f}"))


def _tables(rng: Rng, n: int, discordance: float, difference: float, rounds: int) -> Iterator[Effect]:
    """Paired outcomes with so many discordant pairs and so much more failing of the candidate, as failures."""
    only_candidate = (discordance + difference) / 2
    shares = [only_candidate, discordance - only_candidate, 0.05, 0.95 - discordance]
    for only_new, only_old, both, _ in rng.multinomial(n, shares, rounds):
        candidate, baseline = np.zeros(n), np.zeros(n)
        candidate[:only_new] = 1
        baseline[only_new : only_new + only_old] = 1
        candidate[n - both :] = baseline[n - both :] = 1
        yield paired_difference(candidate, baseline)


# --- the table ------------------------------------------------------------------------------------------------------


def print_table(title: str, heads: tuple[str, ...], rows: Iterator[Row]) -> list[Row]:
    """Print a Markdown table as its rows come; returns them."""
    print(f"\n**{title}**\n\n| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    kept = []
    for row in rows:
        print(f"| {' | '.join((row.name, *row.cells))} |", flush=True)
        kept.append(row)
    return kept


def main(*, quick: bool) -> dict[str, list[Row]]:
    """Run everything and print it; returns the rows by table."""
    scale, sizes = (0.01, (20, 100)) if quick else (1.0, (20, 100, 500))
    return {
        "coverage": print_table(
            "Coverage, % of samples whose 95 % interval holds the truth",
            ("difference", *(f"n = {n}" for n in sizes)),
            coverage_rows(scale, sizes),
        ),
        "false": print_table(
            "A/A: % of families (2 candidates × 5 metrics)",
            (
                "data",
                "families",
                "`worse`",
                "significantly worse, whatever the margin",
                "the same without Holm",
                "`better`",
            ),
            false_alarm_rows(scale),
        ),
        "time": print_table(
            "A/A with dependence in time: % of runs, with its 95 % interval (margin 25 %)",
            (
                "world",
                *(f"p{q} {what}" for q in (50, 95) for what in ("`worse`", "`better`", "interval holds 0", "no bound")),
            ),
            time_rows(scale),
        ),
        "time power": print_table(
            "Power beside stalls: % of runs, with its 95 % interval (margin 25 %)",
            ("difference", "n", "`worse`", "interval above 0"),
            time_power_rows(scale),
        ),
        "power": print_table("Power, % found", ("difference", "n", "promised", "found"), power_rows(scale)),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure coverage, false alarms and power of the verdicts.")
    parser.add_argument("--quick", action="store_true", help="a few rounds of everything")
    main(quick=parser.parse_args().quick)
