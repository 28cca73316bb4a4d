"""Simulated answers, latencies and whole runs of targets that differ by a known amount or not at all."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv
from worlds.tables import SEED

from harness.analysis.columns import AttemptCounts, Columns, RunData
from harness.analysis.compare.compare import compare_targets
from harness.analysis.compare.comparison import CompareReport
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.stats.time_blocks import Answers
from harness.catalog.target import Target
from harness.store.manifest import new_manifest
from harness.suite.suite import Check, Load, Prompt, Suite

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator
GATE = {"pass_rate": "5pp", "error_rate": "1pp", "ttft_p95": "15%", "e2e_p50": "10%", "cost_per_request": "10%"}
LATENCY_CORRELATION, PROMPT_SPREAD, REQUEST_SPREAD = 0.7, 0.3, 0.4


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


def in_order(values: Floats, repeats: int) -> Answers:
    """Latencies, prompt by prompt, of prompts asked in rounds, four answers a second."""
    prompts = np.arange(len(values) // repeats)
    rounds = np.tile(np.arange(repeats), len(prompts))
    codes = np.repeat(prompts, repeats)
    return Answers(values=values, clusters=codes, due_s=(rounds * len(prompts) + codes) / 4)


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
