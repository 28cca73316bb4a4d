"""Pairwise scoring: a judge compares each candidate's answer with the baseline's, in both orders."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import msgspec

from harness.scoring.checks import make_scorer
from harness.scoring.judge_prompt import ask_for_preference
from harness.scoring.judgements import Judgement, digest_of
from harness.scoring.judging.aids import CachingAids
from harness.scoring.scorer import Unscored
from harness.scoring.scorers.pairwise import PairVerdict, Pairwise
from harness.store.records import LAST_MEASURED, PAIRWISE, Score, is_sampled
from harness.store.run_folder import RunFolder
from harness.suite.suite import Prompt, Suite

BATCH = 64
"""Pairs that are compared concurrently and held in memory."""

_PAIRS = f"""
WITH ended AS (
    SELECT request_id, target, prompt_id, repeat, ok, coalesce(text, '') AS text
    FROM ({LAST_MEASURED}) WHERE error_kind IS DISTINCT FROM 'cancelled' AND (text IS NOT NULL OR NOT ok)
        AND prompt_id IN (SELECT unnest($prompts))
)
SELECT c.request_id, c.target, c.prompt_id, c.ok, c.text, b.ok, b.text, b.request_id
FROM ended AS c JOIN (
    SELECT prompt_id, repeat, unnest(min(struct_pack(request_id, ok, text)))
    FROM ended WHERE target = $baseline GROUP BY prompt_id, repeat
) AS b USING (prompt_id, repeat)
WHERE c.target <> $baseline
ORDER BY c.request_id
"""
# A baseline has one answer to each (prompt, repeat), unless somebody made the run up to make a join without end.


class Pair(msgspec.Struct, frozen=True):
    """A candidate's answer and the baseline's."""

    request_id: str
    """The candidate's."""
    target: str
    prompt_id: str
    candidate_ok: bool
    candidate: str
    baseline_ok: bool
    baseline: str
    baseline_request_id: str


class PairResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of comparing a pair: the `given` of a judgement of kind `pair`."""

    target: str
    prompt_id: str
    value: float | None
    """1 if the candidate's answer is better, 0 if the baseline's is, 0.5 for a tie. None: no verdict."""
    judged: bool = True
    """False if no judge was needed: an answer is missing, or both are equal."""
    flipped: bool = False
    """Whether the judge's preference depended on the order."""
    longer: float = 0.0
    """1 if the candidate's answer is longer, 0 if the baseline's is, 0.5 if neither."""


async def score_pairs(run: RunFolder, suite: Suite, aids: CachingAids) -> list[Score]:
    """One row per pair and check, for the candidate's request. `passed` is None: a preference is not a pass.

    Every result is also stored with the judgements, for the analysis of the judge.
    """
    checks = {prompt.id: found for prompt in suite.prompts if (found := _checks(prompt))}
    if not checks or suite.baseline is None:
        return []
    prompts = {prompt.id: prompt for prompt in suite.prompts}
    rows: list[Score] = []
    for batch in _pairs(run, suite.baseline, list(checks), share=suite.load.store_text):
        async with asyncio.TaskGroup() as tasks:
            compared = [
                tasks.create_task(_score(check, prompts[pair.prompt_id], pair, aids))
                for pair in batch
                for check in checks[pair.prompt_id]
            ]
        rows += [task.result() for task in compared]
    return rows


def _checks(prompt: Prompt) -> list[Pairwise]:
    scorers = [make_scorer(check, prompt) for check in prompt.checks if check.type == PAIRWISE]
    return [scorer for scorer in scorers if isinstance(scorer, Pairwise)]


def _pairs(run: RunFolder, baseline: str, prompts: Sequence[str], *, share: float | None) -> Iterator[list[Pair]]:
    """Batches of the pairs whose answers were both sampled for storage."""
    from harness.store.query import connect

    with closing(connect([run])) as connection:
        found = connection.execute(_PAIRS, {"baseline": baseline, "prompts": prompts})
        while rows := found.fetchmany(BATCH):
            pairs = [Pair(*row) for row in rows]
            yield [p for p in pairs if is_sampled(p.request_id, share) and is_sampled(p.baseline_request_id, share)]


async def _score(check: Pairwise, prompt: Prompt, pair: Pair, aids: CachingAids) -> Score:
    value: float | None
    costs: list[float] = []
    judged = flipped = False
    if pair.candidate_ok and pair.baseline_ok and pair.candidate.strip() != pair.baseline.strip():
        judged = True
        try:
            value, flipped, reason, costs = await _compare(check, prompt, pair, aids)
        except* Unscored as unscored:
            value, reason = None, str(unscored.exceptions[0])
    else:
        value, reason = _without_judge(pair)
    cost_usd = sum(costs) if costs else None
    longer = _longer(len(pair.candidate), len(pair.baseline))
    result = PairResult(
        target=pair.target, prompt_id=pair.prompt_id, value=value, judged=judged, flipped=flipped, longer=longer
    )
    key = digest_of("pair", check.judge, check.rubric, pair.request_id)
    given = msgspec.structs.asdict(result)
    aids.judgements.add(Judgement(key=key, kind="pair", by=check.judge, request_id=pair.request_id, given=given))
    return Score(
        request_id=pair.request_id, scorer=PAIRWISE, value=value, passed=None, reason=reason[:300], cost_usd=cost_usd
    )


def _without_judge(pair: Pair) -> tuple[float, str]:
    """Value and reason where no judge is needed: a failed request loses to an answer."""
    if pair.candidate_ok is pair.baseline_ok:
        return 0.5, "tie: the same answer" if pair.candidate_ok else "tie: both requests failed"
    return (1.0, "win: the baseline's request failed") if pair.candidate_ok else (0.0, "loss: the request failed")


async def _compare(
    check: Pairwise, prompt: Prompt, pair: Pair, aids: CachingAids
) -> tuple[float | None, bool, str, list[float]]:
    """Value, whether the order decided, the reason, and the known costs."""
    arrangements = ((pair.candidate, pair.baseline), (pair.baseline, pair.candidate))
    async with asyncio.TaskGroup() as tasks:
        questions = [
            tasks.create_task(
                aids.ask_judge(check.judge, ask_for_preference(prompt, *each, check.rubric), pair.request_id)
            )
            for each in arrangements
        ]
    verdicts = [task.result() for task in questions]
    costs = [verdict.cost_usd for verdict in verdicts if verdict.cost_usd is not None]
    preferences: list[PairVerdict] = []
    for verdict in verdicts:
        try:
            if verdict.error is not None:
                return None, False, f"judge {check.judge} failed: {verdict.error}", costs
            preferences.append(msgspec.convert(verdict.given, PairVerdict))
        except msgspec.ValidationError as error:
            return None, False, f"judge {check.judge} failed: its verdict is malformed: {error}", costs
    first, second = preferences
    wins = [{"A": 1.0, "tie": 0.5, "B": 0.0}[first.better], {"A": 0.0, "tie": 0.5, "B": 1.0}[second.better]]
    if wins[0] == wins[1]:
        word: Mapping[float, str] = {1.0: "win", 0.5: "tie", 0.0: "loss"}
        return wins[0], False, f"{word[wins[0]]}: {first.reason}", costs
    return 0.5, abs(wins[0] - wins[1]) == 1, "tie: the judge's two orders disagree", costs


def _longer(candidate: int, baseline: int) -> float:
    return 0.5 if candidate == baseline else float(candidate > baseline)
