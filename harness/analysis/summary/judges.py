"""What judges cost, how they agree with people, and which answers they prefer, from a run's stored judgements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from harness.analysis.columns import Codes, Columns, Floats
from harness.analysis.stats.interval import Interval
from harness.analysis.stats.labels.agreement import clustered_kappa
from harness.analysis.stats.labels.misclassification import Share, corrected_rate
from harness.analysis.stats.means import cluster_codes
from harness.analysis.stats.proportions import clustered_rate
from harness.analysis.summary.summary import JudgedRate, JudgeSummary, Preference, RunSummary
from harness.scoring.checks import make_scorer
from harness.scoring.judgements import Judgement
from harness.scoring.judging.calibration import JUDGE, LabelResult
from harness.scoring.judging.pairs import PairResult
from harness.scoring.scorers.judge import RubricJudge, RubricVerdict
from harness.suite.suite import Check, Judge, Prompt, Suite

Given = TypeVar("Given")


def add_judging(
    summary: RunSummary, suite: Suite, judgements: Iterable[Judgement], columns: Mapping[str, Columns]
) -> RunSummary:
    """The summary with its judges, judged rates and preferences. Of judgements with the same key, the last one counts.

    `columns`: the run's, by target.
    """
    latest = list({each.key: each for each in judgements}.values())
    groups = {prompt.id: prompt.group or prompt.id for prompt in suite.prompts}
    labels = {judge.name: _labels(judge.name, latest, groups) for judge in suite.graders.judges}
    judges = [summarise_judge(judge, latest, labels[judge.name]) for judge in suite.graders.judges]
    costs = [judge.cost_usd for judge in judges if judge.cost_usd is not None]
    pairs = _convert([each for each in latest if each.kind == "pair"], PairResult)
    targets = []
    for target in summary.targets:
        of_target = [pair for pair in pairs if pair.target == target.target and pair.prompt_id in groups]
        clusters = [groups[pair.prompt_id] for pair in of_target]
        c = columns[target.target]
        rates = (judged_rate(judge.name, suite, latest, c, labels[judge.name]) for judge in suite.graders.judges)
        judged = [rate for rate in rates if rate is not None]
        targets.append(msgspec.structs.replace(target, preference=summarise_pairs(of_target, clusters), judged=judged))
    return msgspec.structs.replace(
        summary, judges=judges, judging_cost_usd=sum(costs) if costs else None, targets=targets
    )


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Answers that a person and a judge have graded; all arrays have one entry an answer."""

    person: npt.NDArray[np.bool_]
    judge: npt.NDArray[np.bool_]
    clusters: Codes
    """Of prompts or groups."""

    def share(self, of: bool) -> Share | None:
        """Of the answers that people passed (or failed), the share on which the judge agrees; None without any."""
        chosen = self.person == of
        return Share.of((self.judge == self.person)[chosen].astype(np.float64), self.clusters[chosen])


def _labels(judge: str, judgements: Sequence[Judgement], groups: Mapping[str, str]) -> Labels:
    given = _convert([each for each in judgements if each.kind == "label" and each.by == judge], LabelResult)
    both = [each for each in given if each.judge is not None]
    names = np.array([groups.get(each.prompt_id, each.prompt_id) for each in both], dtype=object)
    return Labels(
        person=np.array([each.person for each in both], dtype=np.bool_),
        judge=np.array([each.judge for each in both], dtype=np.bool_),
        clusters=cluster_codes(names),
    )


def summarise_judge(judge: Judge, judgements: Sequence[Judgement], labels: Labels) -> JudgeSummary:
    """One judge's questions and labels."""
    questions = [each for each in judgements if each.kind == "judge" and each.by == judge.name]
    costs = [each.cost_usd for each in questions if each.cost_usd is not None]
    agreed = (labels.person == labels.judge).astype(np.float64)
    sensitivity, specificity = (labels.share(of) for of in (True, False))
    return JudgeSummary(
        judge=judge.name,
        model_id=judge.target.model_id,
        asked=len(questions),
        failed=sum(each.error is not None for each in questions),
        cost_usd=sum(costs) if costs else None,
        labels=len(agreed),
        agreement=_rate(agreed, labels.clusters),
        kappa=clustered_kappa(labels.person, labels.judge, labels.clusters),
        sensitivity=None if sensitivity is None else sensitivity.interval(),
        specificity=None if specificity is None else specificity.interval(),
    )


def judged_rate(
    judge: str, suite: Suite, judgements: Sequence[Judgement], c: Columns, labels: Labels
) -> JudgedRate | None:
    """What the judge passed of one target's answers; None where it graded none of them alone."""
    pass_at = {prompt.id: at for prompt in suite.prompts if (at := _pass_at(judge, prompt)) is not None}
    if not pass_at:
        return None
    asked = {r: (p, g) for r, p, g in zip(c.request_id, c.prompt_id, c.group_id, strict=True) if p in pass_at}
    verdicts: dict[str, list[bool]] = {}
    groups: dict[str, str] = {}
    for each in judgements:
        if each.kind == "judge" and each.by == judge and each.error is None and each.request_id in asked:
            prompt, group = asked[each.request_id]
            with suppress(msgspec.ValidationError):
                score = msgspec.convert(each.given, RubricVerdict, strict=False).score
                verdicts.setdefault(prompt, []).append(score >= pass_at[prompt])
                groups[prompt] = group
    clusters = cluster_codes(np.array([groups[prompt] for prompt in verdicts], dtype=object))
    answers = sum(map(len, verdicts.values()))
    share = Share.of(np.array([np.mean(each) for each in verdicts.values()], dtype=np.float64), clusters, answers)
    if share is None:
        return None
    sensitivity, specificity = (labels.share(of) for of in (True, False))
    corrected = None
    if sensitivity is not None and specificity is not None:
        corrected = corrected_rate(share, sensitivity, specificity)
    return JudgedRate(judge=judge, answers=answers, prompts=len(verdicts), rate=share.interval(), corrected=corrected)


def _pass_at(judge: str, prompt: Prompt) -> float | None:
    """The least score that passes, of a prompt's only check that asks this judge, and no other; None: there is none."""
    asking = [check for check in prompt.checks if check.type == JUDGE and judge in _names(check)]
    if len(asking) != 1 or len(_names(asking[0])) != 1:
        return None
    scorer = make_scorer(asking[0], prompt)
    return scorer.pass_at if isinstance(scorer, RubricJudge) else None


def _names(check: Check) -> list[str]:
    """The judges that a check names."""
    named = check.params.get("judge")
    return [named] if isinstance(named, str) else list(named) if isinstance(named, list) else []


def _rate(outcomes: Floats, clusters: Codes) -> Interval | None:
    """The share of outcomes of 0 … 1, clustered; None without any."""
    return clustered_rate(np.bincount(clusters, weights=outcomes), np.bincount(clusters)) if len(outcomes) else None


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
    codes = cluster_codes(np.array(clusters, dtype=object))
    with_verdict = np.array([pair.value is not None for pair in pairs])
    values = np.array([np.nan if pair.value is None else pair.value for pair in pairs])
    longer, flipped = np.array([pair.longer for pair in pairs]), np.array([float(pair.flipped) for pair in pairs])
    judged = with_verdict & np.array([pair.judged for pair in pairs])
    decided = judged & (values != 0.5) & (longer != 0.5)

    def rate(outcomes: Floats, chosen: npt.NDArray[np.bool_]) -> Interval | None:
        return _rate(outcomes[chosen], np.unique(codes[chosen], return_inverse=True)[1])

    return Preference(
        pairs=len(pairs),
        wins=int((values == 1).sum()),
        ties=int((values == 0.5).sum()),
        losses=int((values == 0).sum()),
        unjudged=int((~with_verdict).sum()),
        win_rate=rate(values, with_verdict),
        flip_rate=rate(flipped, judged),
        longer_wins=rate((longer == values).astype(np.float64), decided),
    )
