"""What a client costs in time: the same model, routing and api asked through different clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.columns import Columns, Floats
from harness.analysis.metrics import e2e_s, ttft_s
from harness.analysis.stats.interval import Effect
from harness.analysis.stats.time_blocks import Answers, compare_quantiles
from harness.catalog.target import Target

REFERENCE = "wire"
"""The client that others are compared with, where a suite has it; else the first."""
LATENCIES = {"TTFT": ttft_s, "E2E": e2e_s}
QUANTILES = {"p50": 0.5, "p95": 0.95}


@dataclass(frozen=True, kw_only=True)
class ClientOverhead:
    """One target against the one that differs from it in the client alone."""

    target: str
    client: str
    reference: str
    """The other target's name."""
    reference_client: str
    n: int
    """Answers of the arm that has fewer, over the prompts with an answer on both sides."""
    differences: Mapping[tuple[str, str], Effect]
    """(`TTFT`, `p50`) → target − reference, s. A quantile that the data cannot bound is left out."""


def client_overheads(targets: Sequence[Target], columns: Mapping[str, Columns]) -> list[ClientOverhead]:
    """Every target that has a counterpart with another client, in the suite's order; empty if there is none."""
    alike: dict[object, list[Target]] = {}
    for target in targets:
        if target.name in columns:
            key = (target.model_id, target.routing, target.api, target.region, target.stream, target.options)
            alike.setdefault(key, []).append(target)
    found = []
    for group in alike.values():
        reference = next((each for each in group if each.client == REFERENCE), group[0])
        others = [each for each in group if each.client != reference.client]
        found += [_overhead(each, reference, columns) for each in others]
    return [each for each in found if each.differences]


def _overhead(target: Target, reference: Target, columns: Mapping[str, Columns]) -> ClientOverhead:
    differences: dict[tuple[str, str], Effect] = {}
    fewest = []
    for name, latency in LATENCIES.items():
        new, old = (columns[each.name] for each in (target, reference))
        arms = _arms((new, latency(new)), (old, latency(old)))
        if arms is None:
            continue
        fewest.append(min(len(arm.values) for arm in arms))
        effects = compare_quantiles(*arms, list(QUANTILES.values()), logarithm=False)
        differences |= {
            (name, which): effect
            for which, effect in zip(QUANTILES, effects, strict=True)
            if which == "p50" or (effect.low is not None and effect.high is not None)
        }
    return ClientOverhead(
        target=target.name,
        client=target.client,
        reference=reference.name,
        reference_client=reference.client,
        n=max(fewest, default=0),
        differences=differences,
    )


def _arms(*arms: tuple[Columns, Floats]) -> tuple[Answers, Answers] | None:
    """Both arms' values of the prompts that have one on both sides, with clusters by the same codes."""
    there = [set(c.prompt_id[~np.isnan(values)]) for c, values in arms]
    shared = there[0] & there[1]
    if not shared:
        return None
    groups = dict(zip(arms[0][0].prompt_id, arms[0][0].group_id, strict=True))
    codes = {group: code for code, group in enumerate(dict.fromkeys(groups[prompt] for prompt in sorted(shared)))}
    first, second = (_answers(c, values, {p: codes[groups[p]] for p in shared}) for c, values in arms)
    return first, second


def _answers(c: Columns, values: Floats, codes: Mapping[str, int]) -> Answers:
    clusters = np.array([codes.get(prompt, -1) for prompt in c.prompts[0]], dtype=np.int64)[c.prompts[1]]
    kept = ~np.isnan(values) & (clusters >= 0)
    return Answers(values=values[kept], clusters=clusters[kept], due_s=c.due_s[kept])
