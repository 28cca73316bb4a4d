"""What judges cost, how they agree with people, and which answers they prefer, from a run's stored judgements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

import msgspec
import numpy as np

from harness.analysis.stats.agreement import cohen_kappa
from harness.analysis.stats.means import cluster_codes
from harness.analysis.stats.proportions import clustered_rate, wilson
from harness.analysis.summary.summary import JudgeSummary, Preference, RunSummary
from harness.scoring.judgements import Judgement
from harness.scoring.judging.calibration import LabelResult
from harness.scoring.judging.pairs import PairResult
from harness.suite.suite import Judge, Suite

Given = TypeVar("Given")


def add_judging(summary: RunSummary, suite: Suite, judgements: Iterable[Judgement]) -> RunSummary:
    """The summary with its judges and preferences. Of judgements with the same key, the last one counts."""
    latest = list({each.key: each for each in judgements}.values())
    judges = [summarise_judge(judge, latest) for judge in suite.graders.judges]
    costs = [judge.cost_usd for judge in judges if judge.cost_usd is not None]
    pairs = _convert([each for each in latest if each.kind == "pair"], PairResult)
    groups = {prompt.id: prompt.group or prompt.id for prompt in suite.prompts}
    targets = []
    for target in summary.targets:
        of_target = [pair for pair in pairs if pair.target == target.target and pair.prompt_id in groups]
        clusters = [groups[pair.prompt_id] for pair in of_target]
        targets.append(msgspec.structs.replace(target, preference=summarise_pairs(of_target, clusters)))
    return msgspec.structs.replace(
        summary, judges=judges, judging_cost_usd=sum(costs) if costs else None, targets=targets
    )


def summarise_judge(judge: Judge, judgements: Sequence[Judgement]) -> JudgeSummary:
    """One judge's questions and labels."""
    questions = [each for each in judgements if each.kind == "judge" and each.by == judge.name]
    costs = [each.cost_usd for each in questions if each.cost_usd is not None]
    labels = _convert([each for each in judgements if each.kind == "label" and each.by == judge.name], LabelResult)
    both = [(each.person, each.judge) for each in labels if each.judge is not None]
    table = [[both.count((person, verdict)) for verdict in (True, False)] for person in (True, False)]
    agreed = table[0][0] + table[1][1]
    return JudgeSummary(
        judge=judge.name,
        model_id=judge.target.model_id,
        asked=len(questions),
        failed=sum(each.error is not None for each in questions),
        cost_usd=sum(costs) if costs else None,
        labels=len(both),
        agreement=wilson(agreed, len(both)) if both else None,
        kappa=cohen_kappa(table) if both else None,
    )


def _convert(judgements: Sequence[Judgement], kind: type[Given]) -> list[Given]:
    """Their contents as `kind`; skips invalid ones, since the file may be somebody else's."""
    converted = []
    for each in judgements:
        with suppress(msgspec.ValidationError):
            converted.append(msgspec.convert(each.given, kind))
    return converted


def summarise_pairs(pairs: Sequence[PairResult], clusters: Sequence[str]) -> Preference | None:
    """One candidate's pairs; `clusters`: the group of each one's prompt. None without a pair."""
    if not pairs:
        return None
    with_verdict = [
        (pair.value, cluster) for pair, cluster in zip(pairs, clusters, strict=True) if pair.value is not None
    ]
    values = np.array([value for value, _ in with_verdict], dtype=np.float64)
    codes = cluster_codes(np.array([cluster for _, cluster in with_verdict], dtype=object))
    judged = [pair for pair in pairs if pair.judged and pair.value is not None]
    decided = [pair for pair in judged if pair.value != 0.5 and pair.longer != 0.5]
    return Preference(
        pairs=len(pairs),
        wins=int((values == 1).sum()),
        ties=int((values == 0.5).sum()),
        losses=int((values == 0).sum()),
        unjudged=len(pairs) - len(with_verdict),
        win_rate=clustered_rate(np.bincount(codes, weights=values), np.bincount(codes)) if with_verdict else None,
        flip_rate=wilson(sum(pair.flipped for pair in judged), len(judged)) if judged else None,
        longer_wins=wilson(sum(p.longer == p.value for p in decided), len(decided)) if decided else None,
    )
